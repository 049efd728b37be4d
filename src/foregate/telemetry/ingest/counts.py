"""What the ingest processes count, in shared blocks that outlive them: one row per process.

`received` is counted with the answer. A process that is killed between the bus and its answer has stored items that it
has not counted, and that nobody was told of; so what has been taken in is what the bus says (`Bus.appended`), and these
numbers are what it cannot know: duplicates, invalid items, items that were shed.
"""

from bisect import bisect_left
from typing import NamedTuple

from foregate.ports.blocks import Blocks
from foregate.wire.accounts import KINDS, Kind
from foregate.wire.ingest import INGEST_WORKERS_MAX

INTAKE_ROWS = INGEST_WORKERS_MAX + 1  # of the file: the last row is the import's
IMPORT_ROW = INGEST_WORKERS_MAX
FLUSH_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
REFUSALS = (
    "key_missing", "key_invalid", "rate_limited", "buffer_full", "storage_full", "bus_unavailable", "draining",
    "body_too_large", "body_invalid", "unsupported_media_type", "not_found", "method_not_allowed", "malformed_request",
    "request_timeout", "overloaded", "internal",
)  # fmt: skip
_OTHER = len(REFUSALS)
_AT = {code: at for at, code in enumerate(REFUSALS)}

ITEMS = ("ingest/items", 4 * len(KINDS))  # per kind: received, duplicate, invalid, shed
REFUSED = ("ingest/refused", 32)  # posts, by code; larger than needed, for a block's size is part of its name
FLUSHES = ("ingest/flushes", len(FLUSH_BOUNDS_S) + 2)  # durable steps by their seconds, those beyond, their sum
GAUGES = ("ingest/gauges", 8)
_RECEIVED, _DUPLICATE, _INVALID, _SHED = range(4)
WAITING_ITEMS, HELD_BYTES, REQUESTS, KEYS = range(4)
KEY_CELLS = 3
KEY_ITEMS, KEY_REFUSED, KEY_SEEN_S = range(KEY_CELLS)  # items taken, posts refused, when it was last used (Unix s)


class Taken(NamedTuple):
    """Items of one kind since ever: `received` = stored + duplicate + invalid + shed, but for kills (see above)."""

    received: int
    duplicate: int
    invalid: int
    shed: int


class KeyUse(NamedTuple):
    """`seen_s`: Unix seconds, 0 for never."""

    items: int
    refused_posts: int
    seen_s: float


def key_block(key_id: str) -> tuple[str, int]:
    """The block of a key's numbers."""
    return f"ingest/key/{key_id}", KEY_CELLS


def read_counts(blocks: Blocks) -> dict[Kind, Taken]:
    """Sums over all rows."""
    (items,) = blocks.claim([ITEMS])
    return {
        kind: Taken(*(int(items.total(4 * number + which)) for which in range(4))) for number, kind in enumerate(KINDS)
    }


def read_key(blocks: Blocks, key_id: str) -> KeyUse:
    """What a key has been used for, over all rows."""
    (cells,) = blocks.claim([key_block(key_id)])
    return KeyUse(int(cells.total(KEY_ITEMS)), int(cells.total(KEY_REFUSED)), max(cells.each(KEY_SEEN_S)))


class Counts:
    """One process's own row."""

    __slots__ = ("_flushes", "_items", "_refused", "gauges")

    def __init__(self, blocks: Blocks) -> None:
        items, refused, flushes, gauges = blocks.claim([ITEMS, REFUSED, FLUSHES, GAUGES])
        self._items, self._refused, self._flushes, self.gauges = items.own, refused.own, flushes.own, gauges.own
        for cell in (WAITING_ITEMS, HELD_BYTES, REQUESTS):  # of a predecessor
            self.gauges[cell] = 0.0

    def stored(self, kind: Kind, items: int) -> None:
        self._items[4 * KINDS.index(kind) + _RECEIVED] += items

    def duplicate(self, kind: Kind, items: int) -> None:
        self._add(kind, _DUPLICATE, items)

    def invalid(self, kind: Kind, items: int) -> None:
        self._add(kind, _INVALID, items)

    def shed(self, kind: Kind, items: int) -> None:
        self._add(kind, _SHED, items)

    def refused(self, code: str) -> None:
        """A post got an error. How many items it had is not known where it was not read."""
        self._refused[_AT.get(code, _OTHER)] += 1.0

    def flushed(self, seconds: float) -> None:
        self._flushes[bisect_left(FLUSH_BOUNDS_S, seconds)] += 1.0
        self._flushes[len(FLUSH_BOUNDS_S) + 1] += seconds

    def _add(self, kind: Kind, which: int, items: int) -> None:
        first = 4 * KINDS.index(kind)
        self._items[first + _RECEIVED] += items
        self._items[first + which] += items
