"""Who is asking, by API key: in a header, in the query, or as a bearer token."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import msgspec

from foregate.gateway.policies.credentials import drop_authorization
from foregate.gateway.policies.policy import Consumer, Means, Place, Policy, Refuse
from foregate.kernel.secrets import HASH_SCHEME, key_digest
from foregate.wire.policies import NO_POLICIES, ApiKeySource
from foregate.wire.snapshot import Key, Plan

if TYPE_CHECKING:
    from foregate.gateway.request import Request

KEY_BYTES_MAX = 256  # a longer key is unknown without being hashed
REMEMBERED_MAX = 32_768  # keys in use that need no HMAC: 300 bytes each
UNKNOWN_MAX = 4_096  # the same for keys that are unknown: what was withdrawn goes on being sent
_DIGEST_BYTES = 16  # of the HMAC's 32: nobody guesses these either
_ALWAYS_DROPPED = b"x-api-key"  # the request keeps it out of what is forwarded by itself
_HINT = b"fg_"  # what our keys begin with: a bearer token that does not is not ours to judge
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Consumer).decode


class KeyRing:
    """The keys of a snapshot, found by what a client sends.

    Of each key it keeps a digest and, packed, whose it is: 200 bytes a key, without the snapshot. A raw key that was
    right or wrong is remembered, so the HMAC is paid once; at the bounds all are forgotten and paid for again. The ring
    lives in memory alone and is taken over by the next snapshot with the same keys.
    """

    __slots__ = ("_by_digest", "_named", "_pepper", "_plans", "_unknown", "remembered")

    def __init__(self, plans: Sequence[Plan], pepper: bytes, names: bool) -> None:
        """An empty ring: see `build`."""
        self._pepper = pepper
        self._plans = {plan.name for plan in plans if plan.policies != NO_POLICIES}
        self._by_digest: dict[bytes, bytes] = {}
        self._named: dict[str, bytes] | None = {} if names else None
        self.remembered: dict[bytes, Consumer] = {}  # by what was sent
        self._unknown: set[bytes] = set()

    @classmethod
    def build(
        cls,
        keys: Sequence[Key],
        plans: Sequence[Plan],
        pepper: bytes,
        slice_keys: int,
        before: KeyRing | None = None,
        names: bool = True,
    ) -> Generator[None, None, KeyRing]:
        """A ring in slices of `slice_keys` keys; `before` itself when it holds the very same.

        `names`: somebody is going to ask for keys by name.
        """
        ring = cls(plans, pepper, names)
        if before is not None and (yield from ring._same(before, keys, slice_keys)):
            return before
        for start in range(0, len(keys), slice_keys):
            ring._add(keys[start : start + slice_keys])
            yield
        return ring

    def _same(self, before: KeyRing, keys: Sequence[Key], slice_keys: int) -> Generator[None, None, bool]:
        if before._pepper != self._pepper or len(before._by_digest) != len(keys):
            return False
        if self._named is not None and before._named is None:
            return False
        held = before._by_digest
        for start in range(0, len(keys), slice_keys):
            if any(held.get(_digest(key.hash)) != self._packed(key) for key in keys[start : start + slice_keys]):
                return False
            yield
        return True

    def _add(self, keys: Sequence[Key]) -> None:
        named = self._named
        for key in keys:
            packed = self._by_digest[_digest(key.hash)] = self._packed(key)
            if named is not None:
                named[key.name] = packed

    def _packed(self, key: Key) -> bytes:
        scope = ""
        if key.policies is not NO_POLICIES and key.policies != NO_POLICIES:
            scope = f"key:{key.id}"
        elif key.plan in self._plans:
            scope = f"plan:{key.plan}"
        return _pack(Consumer(key.id, key.org, key.plan, scope, key.name))

    def find(self, raw: bytes) -> Consumer | None:
        """Whose key `raw` is, or None."""
        return self.remembered.get(raw) or self._look_up(raw)

    def _look_up(self, raw: bytes) -> Consumer | None:
        if raw in self._unknown or len(raw) > KEY_BYTES_MAX or not raw.isascii():
            return None
        packed = self._by_digest.get(key_digest(raw, self._pepper)[:_DIGEST_BYTES])
        if packed is None:
            if len(self._unknown) >= UNKNOWN_MAX:
                self._unknown.clear()
            self._unknown.add(raw)
            return None
        if len(self.remembered) >= REMEMBERED_MAX:
            self.remembered.clear()
        found = self.remembered[raw] = _unpack(packed)
        return found

    def named(self, name: str) -> Consumer | None:
        """Whose key has this name, for methods that prove it otherwise."""
        packed = self._named.get(name) if self._named is not None else None
        return None if packed is None else _unpack(packed)


def _digest(stored: str) -> bytes:
    """What a key's stored form is found by; one that is no digest of ours is found by nothing."""
    scheme, _, digits = stored.partition(":")
    try:
        return bytes.fromhex(digits)[:_DIGEST_BYTES] if scheme == HASH_SCHEME else stored.encode()
    except ValueError:
        return stored.encode()


class ApiKeyPolicy(Policy):
    """Looks where `settings` say; the first place that holds something counts, and what the others hold is not sent on
    either."""

    name = "api_key"

    def __init__(self, settings: ApiKeySource, means: Means, place: Place) -> None:
        self._consumers = means.consumers
        self._header = settings.header.encode().lower() if settings.header else b""
        self._query = settings.query.encode() if settings.query else b""
        self._bearer = settings.bearer
        self._keep = settings.keep
        self.challenge = self._challenge()
        lines = b"www-authenticate: " + self.challenge + b"\r\n"
        self._invalid = Refuse("key_invalid", lines=lines)
        self.identify: Callable[[Request], Consumer | Refuse | None] = self._anywhere
        if self._header == _ALWAYS_DROPPED and not (self._query or self._bearer or self._keep):
            self.identify = self._ordinary

    def _challenge(self) -> bytes:
        if self._header:
            return b'ApiKey realm="foregate", in="header", name="%s"' % self._header
        return b'Bearer realm="foregate"' if self._bearer else b'ApiKey realm="foregate", in="query"'

    def _ordinary(self, request: Request) -> Consumer | Refuse | None:
        """X-Api-Key and nothing else."""
        raw = request.noted.get(_ALWAYS_DROPPED)
        if not raw:
            return None
        return self._consumers(raw) or self._invalid

    def _anywhere(self, request: Request) -> Consumer | Refuse | None:
        given = self._from_header(request), self._from_query(request), self._from_bearer(request)
        raw = given[0] or given[1] or given[2]
        if not raw:
            return None
        if self._keep and given[0] and (self._header == _ALWAYS_DROPPED or b"_" in self._header):
            request.set_header(self._header, given[0])  # which else would not be sent on
        return self._consumers(raw) or self._invalid

    def strip(self, request: Request) -> None:
        """Another method has let it in: send no key on."""
        self._from_header(request)
        self._from_query(request)
        self._from_bearer(request)

    def _from_header(self, request: Request) -> bytes | None:
        name = self._header
        if not name:
            return None
        raw = request.header(name)
        if raw is not None and not self._keep and name != _ALWAYS_DROPPED:
            request.remove_header(name)
        return raw

    def _from_query(self, request: Request) -> bytes | None:
        if not self._query or not request.query:
            return None
        raw, rest = split_query(request.query, self._query)
        if raw is not None and not self._keep:
            request.query = rest
        return raw

    def _from_bearer(self, request: Request) -> bytes | None:
        if not self._bearer:
            return None
        value = request.header(b"authorization")
        if value is None:
            return None
        if value[:7].lower() != b"bearer " or not (raw := value[7:].strip()).startswith(_HINT):
            if not self._keep:
                drop_authorization(request, b"bearer", _HINT)  # of a second line, which others might read
            return None
        if not self._keep:
            request.remove_header(b"authorization")
        return raw


def split_query(query: bytes, name: bytes) -> tuple[bytes | None, bytes]:
    """The first value of a parameter, and the query without any of that name. Both queries with their "?"."""
    value: bytes | None = None
    kept = []
    for pair in query[1:].split(b"&"):
        key, _, text = pair.partition(b"=")
        if key != name and ((b"%" not in key and b"+" not in key) or _decoded(key) != name):
            kept.append(pair)
        elif value is None:
            value = _decoded(text)
    if value is None:
        return None, query
    return value, b"?" + b"&".join(kept) if kept else b""


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
