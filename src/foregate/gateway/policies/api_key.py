"""Who is asking: the API key check."""

from typing import NamedTuple

from foregate.kernel.secrets import hash_key
from foregate.wire.snapshot import Key

KEY_BYTES_MAX = 256  # a longer X-Api-Key is unknown without being hashed


class KnownKey(NamedTuple):
    """`place` is the key's place in the snapshot: it finds the key's counters."""

    id: str
    place: int


class KeyRing:
    """The keys of a snapshot, found by what a client sends.

    A raw key that was right is remembered, so the HMAC is paid once per key; as only right keys are, there are never
    more of them than keys. The table lives in memory alone and dies with the snapshot.
    """

    __slots__ = ("_by_hash", "_pepper", "remembered")

    def __init__(self, keys: tuple[Key, ...], pepper: bytes) -> None:
        self._pepper = pepper
        self._by_hash = {key.hash: KnownKey(key.id, index) for index, key in enumerate(keys)}
        self.remembered: dict[bytes, KnownKey] = {}  # by what was sent

    def find(self, raw: bytes) -> KnownKey | None:
        """The key that `raw` is, or None."""
        if len(raw) > KEY_BYTES_MAX or not raw.isascii():
            return None
        known = self._by_hash.get(hash_key(raw.decode("ascii"), self._pepper))
        if known is not None:
            self.remembered[raw] = known
        return known


def decide(raw: bytes | None, ring: KeyRing) -> KnownKey | str:
    """The key, or the code of the refusal: `key_missing`, `key_invalid`."""
    if not raw:
        return "key_missing"
    return ring.remembered.get(raw) or ring.find(raw) or "key_invalid"
