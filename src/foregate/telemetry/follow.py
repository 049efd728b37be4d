"""Reading a topic of the bus into a store, exactly once: the store keeps the offsets beside what they cover."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from foregate.ports.bus import Batch, Bus

_BATCHES_MAX = 4  # per partition and step: usually some thousand items in all
_STEP_BYTES = 8_388_608  # of payloads: partitions that this step does not come to are the first of the next

Item = TypeVar("Item")
_Item_contra = TypeVar("_Item_contra", contravariant=True)


class Store(Protocol[_Item_contra]):
    """Takes items together with the offsets they cover, all or nothing."""

    def offsets(self, topic: str) -> dict[int, int]: ...

    def take(
        self, items: Sequence[_Item_contra], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        """`counts`: "invalid" items that could not be read, "lost" batches deleted before they were. Raises OSError."""
        ...


class Follower(Generic[Item]):
    """One topic into one store. `step` may raise OSError; what was read is then read again."""

    def __init__(self, bus: Bus, topic: str, decode: Callable[[bytes], list[Item]], store: Store[Item]) -> None:
        self._bus = bus
        self._topic = topic
        self._decode = decode
        self._store = store
        self._offsets: dict[int, int] | None = None
        self._assigned: Sequence[int] = ()
        self._first = 0  # whose turn is the first, as an index of those assigned

    def step(self) -> int:
        """Read what is new and have it stored. Returns how many items the bus gave; 0: nothing new."""
        assigned = tuple(self._bus.assigned(self._topic))
        if assigned != self._assigned:  # another reader may have had them, and gone on: the store knows
            self._assigned, self._offsets, self._first = assigned, None, 0
        offsets = dict(self._offsets if self._offsets is not None else self._known())
        self._offsets = None  # until the store has taken them: after a failure it is asked where it stands
        batches = self._next(offsets)
        items: list[Item] = []
        invalid = lost = 0
        for batch in batches:
            before = offsets.get(batch.partition, -1)
            lost += batch.offset - before - 1 if before >= 0 else 0
            offsets[batch.partition] = batch.offset
            readable = self._items_of(batch)
            invalid += max(0, batch.items - len(readable))
            items += readable
        if batches:
            self._store.take(items, self._topic, offsets, {"invalid": invalid, "lost_batches": lost})
        self._offsets = offsets
        return sum(batch.items for batch in batches)

    def _next(self, offsets: Mapping[int, int]) -> list[Batch]:
        """What is new, within the bounds of a step."""
        batches: list[Batch] = []
        size = 0
        for turn in range(len(self._assigned)):
            partition = self._assigned[(self._first + turn) % len(self._assigned)]
            read = self._bus.read(self._topic, partition, offsets.get(partition, -1), _BATCHES_MAX)
            batches += read
            size += sum(len(batch.payload) for batch in read)
            if size >= _STEP_BYTES:
                self._first = (self._first + turn + 1) % len(self._assigned)
                break
        return batches

    def _known(self) -> dict[int, int]:
        """A stored offset beyond the end means that the bus was replaced: it is read from its start."""
        stored = self._store.offsets(self._topic)
        mine = {at: stored[at] for at in self._assigned if at in stored}
        return {at: offset for at, offset in mine.items() if offset <= self._bus.last_offset(self._topic, at)}

    def _items_of(self, batch: Batch) -> list[Item]:
        try:
            return self._decode(batch.payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return []
