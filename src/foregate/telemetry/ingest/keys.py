"""Who sends: keys by the digest of their secret, each with what it may send and what it has sent."""

from collections.abc import Sequence

from foregate.http1.headers import HeaderList
from foregate.kernel.clock import Clock
from foregate.kernel.secrets import HASH_SCHEME, key_digest
from foregate.ports.blocks import Block, Blocks
from foregate.telemetry.ingest.allowance import Allowance
from foregate.telemetry.ingest.budget import Held
from foregate.telemetry.ingest.counts import KEY_ITEMS, KEY_REFUSED, KEY_SEEN_S, key_block
from foregate.wire.ingest import IngestKey

_SECRET_BYTES_MAX = 256
_BEARER = b"bearer "


class Holder:
    """A key in force."""

    __slots__ = ("_allowance", "_block", "_cells", "_clock", "held", "key")

    def __init__(self, key: IngestKey, block: Block, clock: Clock) -> None:
        self.key = key
        self.held = Held()
        self._block = block
        self._cells = block.own
        self._clock = clock
        self._allowance = Allowance(key.items_per_s, block.total(KEY_ITEMS), clock.monotonic())

    def changed(self, key: IngestKey) -> None:
        """Other settings of the same key: what it has used up stays used up, unless its rate is another."""
        if key.items_per_s != self.key.items_per_s:
            self._allowance = Allowance(key.items_per_s, self._block.total(KEY_ITEMS), self._clock.monotonic())
        self.key = key

    def wait_s(self, items: int) -> float:
        """How long until so many items may come; 0.0: now."""
        return self._allowance.wait_s(items, self._block.total(KEY_ITEMS), self._clock.monotonic())

    def take(self, items: int) -> None:
        """They pass."""
        self._cells[KEY_ITEMS] += items
        self._cells[KEY_SEEN_S] = self._clock.now()

    def give_back(self, items: int) -> None:
        """They were not stored after all."""
        self._cells[KEY_ITEMS] -= items

    def refused(self) -> None:
        """A post of this key got an error."""
        self._cells[KEY_REFUSED] += 1.0
        self._cells[KEY_SEEN_S] = self._clock.now()


class Keys:
    """All keys in force. `pepper` is what their hashes were made with."""

    def __init__(self, blocks: Blocks, pepper: bytes, clock: Clock) -> None:
        self._blocks = blocks
        self._pepper = pepper
        self._clock = clock
        self._holders: dict[bytes, Holder] = {}
        self._known: dict[bytes, Holder] = {}  # by secret: those that were found, so at most as many as there are keys

    def __len__(self) -> int:
        return len(self._holders)

    def apply(self, keys: Sequence[IngestKey]) -> None:
        """These are in force from now on, and no others."""
        before = {holder.key.id: holder for holder in self._holders.values()}
        blocks = self._blocks.claim([key_block(key.id) for key in keys])
        holders: dict[bytes, Holder] = {}
        for key, block in zip(keys, blocks, strict=True):
            holder = before.get(key.id)
            if holder is None:
                holder = Holder(key, block, self._clock)
            else:
                holder.changed(key)
            holders[bytes.fromhex(key.hash.removeprefix(f"{HASH_SCHEME}:"))] = holder
        self._holders = holders
        self._known = {}

    def of(self, headers: HeaderList) -> Holder | str:
        """Whose post it is, by `authorization: Bearer …` or `x-api-key`; else the code of the refusal."""
        secret = _secret(headers)
        if secret is None:
            return "key_missing"
        holder = self._known.get(secret)
        if holder is None and len(secret) <= _SECRET_BYTES_MAX:
            holder = self._holders.get(key_digest(secret, self._pepper))
            if holder is not None:
                self._known[secret] = holder
        return holder or "key_invalid"


def _secret(headers: HeaderList) -> bytes | None:
    found = None
    for name, value in headers:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return value[len(_BEARER) :].strip()
        if name == b"x-api-key":
            found = value.strip()
    return found
