"""Protobuf's framing, walked without decoding: where the messages of a field lie, whole or not.

Source: the Protocol Buffers encoding guide. A run is a stretch of bytes that holds some messages of one repeated field
and nothing else: it is itself a message of the type that has the field, so that a large body can be decoded piece by
piece, and a damaged piece costs only itself.
"""

from typing import NamedTuple

from foregate.kernel.errors import ForegateError

FIELDS_MAX = 250_000  # looked at in a body; one with more is refused, body_too_large
RUN_BYTES_MAX = 1_048_576  # of several messages; decoded, protobuf can take fifty times as much
MESSAGE_BYTES_MAX = 4_194_304  # of one; a larger one is not decoded


class Frame(NamedTuple):
    """A length-delimited field: where its tag begins, and its content."""

    number: int
    tag_at: int
    start: int
    stop: int


class Run(NamedTuple):
    start: int
    stop: int
    messages: int


class Body:
    """Bytes that are walked, and how many more of their fields may be looked at."""

    __slots__ = ("data", "fields_left")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fields_left = FIELDS_MAX

    def look(self) -> None:
        """Raises ForegateError, body_too_large."""
        self.fields_left -= 1
        if self.fields_left < 0:
            raise ForegateError("body_too_large", "The body holds too much; send it in parts.")


class Walk:
    """What a stretch of a body holds. `damaged_at`: where it could not be walked any further, or -1."""

    __slots__ = ("_body", "_data", "_end", "at", "damaged_at")

    def __init__(self, body: Body, start: int, stop: int) -> None:
        self._body = body
        self._data = body.data
        self.at = start
        self._end = min(stop, len(body.data))
        self.damaged_at = -1

    def frame(self) -> Frame | None:
        """The next length-delimited field, others are passed over; None at the end. One that is cut off is given with
        a `stop` beyond the end, as the last."""
        end = self._end
        while self.at < end:
            self._body.look()
            tag_at = self.at
            tag = self._varint()
            wire = tag & 7
            if tag < 8 or wire in (3, 4, 6, 7):  # field 0, groups and what there is not
                self._damaged(tag_at)
                return None
            if wire == 2:
                length = self._varint()
                start = self.at
                if length < 0 or self.damaged_at >= 0:
                    self._damaged(tag_at)
                    return None
                self.at = start + length
                if self.at > end:
                    self.damaged_at = tag_at
                return Frame(tag >> 3, tag_at, start, self.at)
            if wire == 0:
                self._varint()
            else:
                self.at += 8 if wire == 1 else 4
            if self.at > end or self.damaged_at >= 0:
                self._damaged(tag_at)
                return None
        return None

    def _damaged(self, at: int) -> None:
        """Nothing more is found."""
        self.damaged_at = at
        self.at = self._end

    def _varint(self) -> int:
        """At most ten bytes (encoding guide, "Base 128 Varints"); damage when there is no end to it."""
        data, at, end = self._data, self.at, self._end
        value = shift = 0
        while at < end and shift < 70:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.at = at
                return value
            shift += 7
        self._damaged(self.at)
        return -1


def runs(body: Body, start: int, stop: int, number: int) -> tuple[list[Run], int]:
    """The runs of field `number`, and where the damage is that ends them, or -1."""
    found: list[Run] = []
    walk = Walk(body, start, stop)
    stop = min(stop, len(body.data))
    begin = last = -1
    count = 0
    while (frame := walk.frame()) is not None and frame.stop <= stop:
        if frame.number != number:
            continue
        if count and (frame.tag_at != last or frame.stop - begin > RUN_BYTES_MAX):
            found.append(Run(begin, last, count))
            count = 0
        if not count:
            begin = frame.tag_at
        last, count = frame.stop, count + 1
    if count:
        found.append(Run(begin, last, count))
    return found, walk.damaged_at
