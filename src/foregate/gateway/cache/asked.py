"""What a request's fields mean to the cache: read once for all requests of a connection that have the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING

from foregate.gateway.cache.directives import NO_DIRECTIVES, cache_control
from foregate.gateway.cache.vary import variant

if TYPE_CHECKING:
    from foregate.gateway.request import Request

# The service answers by them itself; a cache does not (RFC 9110 section 13.2.1, RFC 9111 section 4.3.1), and a method
# in a field makes a GET something else.
_PASSED_ON = frozenset(
    {b"if-match", b"if-unmodified-since", b"x-http-method-override", b"x-http-method", b"x-method-override"}
)
_OURS_TO_ANSWER = (b"if-none-match:", b"if-modified-since:", b"if-range:", b"range:")
# What says who asks: of these, what the service gets to see.
_CREDENTIALS = (b"authorization:", b"cookie:", b"x-api-key:")
_SECRET_BYTES = 16  # of the digest that stands in the key for credentials


class Asked:
    """`kept` are the lines that it was read from, `lines` those of them by which a whole answer is asked for.

    `seen` is what the service will see of who asks, and of what we have added, as a digest (b"" for nothing).
    `plain`: nothing but a fresh answer, whole, is wanted. `chosen` is the variant that `select` found last. `start` is
    for the maker of keys: (route, chain, consumer, scheme, and with which bytes the key begins for them).
    """

    __slots__ = (
        "_variants", "authorized", "chosen", "if_modified_since", "if_none_match", "if_range", "kept", "lines",
        "max_age", "max_stale", "min_fresh", "no_cache", "only_if_cached", "passed_on", "plain", "range", "seen",
        "sent", "start",
    )  # fmt: skip

    def __init__(self, request: Request, heed: bool, private: bool) -> None:
        """`heed` the client's directives. `private`: the key has to tell credentials apart."""
        self.kept = kept = request.kept
        self.sent: Mapping[bytes, bytes] = _joined(kept)
        sent = self.sent
        self.authorized = b"authorization" in sent
        self.if_none_match = sent.get(b"if-none-match")
        self.if_modified_since = sent.get(b"if-modified-since")
        self.range, self.if_range = sent.get(b"range"), sent.get(b"if-range")
        conditional = self.if_none_match is not None or self.if_modified_since is not None or self.range is not None
        ours = conditional or self.if_range is not None
        self.lines = tuple([line for line in kept if not line.startswith(_OURS_TO_ANSWER)]) if ours else kept
        self._read_directives(heed)
        upgrades = b"upgrade" in request.noted or bool(request.exchange.upgrade)
        self.passed_on |= upgrades or not _PASSED_ON.isdisjoint(sent)
        self.plain = not (
            conditional
            or self.no_cache
            or self.max_age is not None
            or self.min_fresh is not None
            or self.only_if_cached
        )
        self.seen = _digest(kept, request.fields.kept) if private else b""
        self._variants: dict[tuple[bytes, ...], bytes] = {}
        self.chosen = b""
        self.start: tuple[object, object, object, str, bytes] | None = None

    def _read_directives(self, heed: bool) -> None:
        value = self.sent.get(b"cache-control") if heed else None
        said = cache_control(value) if value is not None else NO_DIRECTIVES
        pragma = self.sent.get(b"pragma") if heed and value is None else None
        self.passed_on = said.has(b"no-store")
        self.no_cache = said.has(b"no-cache") or (pragma is not None and b"no-cache" in pragma.lower())
        self.only_if_cached = said.has(b"only-if-cached")
        self.max_age = said.seconds(b"max-age")
        self.min_fresh = said.seconds(b"min-fresh")
        # Without a value: however stale (RFC 9111 section 5.2.1.2).
        endless = said.whole(b"max-stale")
        self.max_stale = float("inf") if endless else said.seconds(b"max-stale")

    def select(self, names: tuple[bytes, ...]) -> bytes:
        """The variant that suits, by the names in Vary: for `CacheStore.get`. Few names come: those of four answers."""
        found = self._variants.get(names)
        if found is None:
            if len(self._variants) >= _VARIANTS_MAX:
                self._variants.clear()
            found = self._variants[names] = variant(names, self.sent)
        self.chosen = found
        return found


_VARIANTS_MAX = 64  # sets of names that one connection's fields are remembered for


def _joined(kept: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """The fields as the service sees them; those of one name as one list."""
    sent: dict[bytes, bytes] = {}
    for line in kept:
        name, _, value = line.partition(b":")
        value = value.strip()
        sent[name] = sent[name] + b", " + value if name in sent else value
    return sent


def _digest(kept: tuple[bytes, ...], came: tuple[bytes, ...]) -> bytes:
    """What the service sees of who asks: credentials, and every line that a policy of ours has added.

    Such a line may hold the key's id, its plan or an address; where it says the same to all it does no harm here.
    """
    told = [line for line in kept if line.startswith(_CREDENTIALS)]
    if kept is not came:
        before = set(came)
        told += [line for line in kept if line not in before]
    return blake2b(b"\n".join(told), digest_size=_SECRET_BYTES).hexdigest().encode() if told else b""
