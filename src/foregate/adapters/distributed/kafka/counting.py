"""How many items were ever appended: each writer says its own totals with everything it appends.

They lie in a topic of their own, by writer, of which Kafka keeps the newest (compaction). A writer that is killed
within an append may have counted it, or not; what is sent again after that counts twice, though readers drop it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from foregate.ports.bus import Append, Batch

COUNTS = "counts"  # the topic, by our name


class Said(msgspec.Struct, array_like=True, frozen=True):
    """What `writer` has appended since it began, by topic."""

    writer: str
    items: dict[str, int]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Said).decode


def after(said: Said, appends: Iterable[Append]) -> Said:
    """With these appended, too."""
    items = Counter(said.items)
    for one in appends:
        items[one.topic] += one.items
    return Said(said.writer, dict(items))


def message(said: Said) -> bytes:
    return _encode(said)


class Totals:
    """Of all writers; as many as there were starts of processes that append."""

    def __init__(self) -> None:
        self.read_to = -1
        self._said: dict[str, Mapping[str, int]] = {}

    def add(self, batches: Iterable[Batch]) -> None:
        """Batches of `COUNTS`, in order."""
        for batch in batches:
            said = _decode(batch.payload)
            self._said[said.writer] = said.items
            self.read_to = batch.offset

    def items(self, topic: str) -> int:
        return sum(items.get(topic, 0) for items in self._said.values())
