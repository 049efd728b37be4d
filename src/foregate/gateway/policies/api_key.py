"""Who is asking, by API key: in a header, in the query, or as a bearer token."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from foregate.gateway.policies.policy import Consumer, Means, Place, Policy, Refuse
from foregate.kernel.secrets import hash_key
from foregate.wire.policies import NO_POLICIES, ApiKeySource
from foregate.wire.snapshot import Key, Plan

if TYPE_CHECKING:
    from foregate.gateway.request import Request

KEY_BYTES_MAX = 256  # a longer key is unknown without being hashed
_ALWAYS_DROPPED = b"x-api-key"  # the request keeps it out of what is forwarded by itself
_HINT = b"fg_"  # what our keys begin with: a bearer token that does not is not ours to judge


class KeyRing:
    """The keys of a snapshot, found by what a client sends.

    A raw key that was right is remembered, so the HMAC is paid once per key; as only right keys are, there are never
    more of them than keys. The table lives in memory alone and is taken over by the next snapshot with the same keys.
    """

    __slots__ = ("_by_hash", "_keys", "_named", "_pepper", "_plans", "remembered")

    def __init__(self, keys: Sequence[Key], plans: Sequence[Plan], pepper: bytes) -> None:
        """An empty ring that is going to hold `keys`: see `build`."""
        self._pepper = pepper
        self._keys = keys
        self._plans = {plan.name for plan in plans if plan.policies != NO_POLICIES}
        self._by_hash: dict[str, Consumer] = {}
        self._named: dict[str, Consumer] = {}
        self.remembered: dict[bytes, Consumer] = {}  # by what was sent

    @classmethod
    def build(
        cls, keys: Sequence[Key], plans: Sequence[Plan], pepper: bytes, slice_keys: int, before: KeyRing | None = None
    ) -> Generator[None, None, KeyRing]:
        """A ring in slices of `slice_keys` keys; `before` itself when it holds the very same."""
        ring = cls(keys, plans, pepper)
        if before is not None and (yield from before._same(ring, slice_keys)):
            return before
        for start in range(0, len(keys), slice_keys):
            ring._add(keys[start : start + slice_keys])
            yield
        return ring

    def _same(self, other: KeyRing, slice_keys: int) -> Generator[None, None, bool]:
        if self._plans != other._plans or len(self._keys) != len(other._keys) or self._pepper != other._pepper:
            return False
        for start in range(0, len(self._keys), slice_keys):
            if self._keys[start : start + slice_keys] != other._keys[start : start + slice_keys]:
                return False
            yield
        return True

    def _add(self, keys: Sequence[Key]) -> None:
        for key in keys:
            scope = ""
            if key.policies is not NO_POLICIES and key.policies != NO_POLICIES:
                scope = f"key:{key.id}"
            elif key.plan in self._plans:
                scope = f"plan:{key.plan}"
            consumer = Consumer(key.id, key.org, key.plan, scope, key.name)
            self._by_hash[key.hash] = self._named[key.name] = consumer

    def find(self, raw: bytes) -> Consumer | None:
        """Whose key `raw` is, or None."""
        return self.remembered.get(raw) or self._look_up(raw)

    def _look_up(self, raw: bytes) -> Consumer | None:
        if len(raw) > KEY_BYTES_MAX or not raw.isascii():
            return None
        known = self._by_hash.get(hash_key(raw.decode("ascii"), self._pepper))
        if known is not None:
            self.remembered[raw] = known
        return known

    def named(self, name: str) -> Consumer | None:
        """Whose key has this name, for methods that prove it otherwise."""
        return self._named.get(name)


class ApiKeyPolicy(Policy):
    """Looks where `settings` say; the first place that holds something counts."""

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
        raw = self._from_header(request) or self._from_query(request) or self._from_bearer(request)
        if not raw:
            return None
        return self._consumers(raw) or self._invalid

    def _from_header(self, request: Request) -> bytes | None:
        name = self._header
        if not name:
            return None
        raw = request.header(name)
        if raw and self._keep and name == _ALWAYS_DROPPED:
            request.set_header(name, raw)
        elif raw and not self._keep and name != _ALWAYS_DROPPED:
            request.remove_header(name)
        return raw

    def _from_query(self, request: Request) -> bytes | None:
        if not self._query or not request.query:
            return None
        raw, rest = split_query(request.query, self._query)
        if raw and not self._keep:
            request.query = rest
        return raw

    def _from_bearer(self, request: Request) -> bytes | None:
        if not self._bearer:
            return None
        value = request.header(b"authorization")
        if value is None or value[:7].lower() != b"bearer " or not (raw := value[7:].strip()).startswith(_HINT):
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
