"""One direction of a WebSocket: frames are checked by their heads and passed on as they came (RFC 6455 section 5).

Payloads are neither unmasked nor copied nor looked at: whether a text message is UTF-8 is for who reads it. Only
control frames are read, of at most 125 bytes.
"""

from foregate.websocket.close import CONTROL_BYTES_MAX, PROTOCOL_ERROR, TOO_BIG, Malformed, said_in
from foregate.websocket.masking import MASK_BYTES, masked

# What a frame is, by its first byte and whether a message is under way.
_BAD, _WHOLE, _FIRST, _MIDDLE, _LAST, _CLOSE, _PING, _PONG = range(8)
_CONTROLS = {0x88: _CLOSE, 0x89: _PING, 0x8A: _PONG}
_SHORT_BYTES_MAX = 125  # a length up to here stands in the second byte …
_LENGTH_16 = 126  # … which otherwise says how many bytes follow with it: two …
_MASKED = 0x80
BOUND_BYTES_MIN = _SHORT_BYTES_MAX  # no bound is smaller, so short frames need not be compared with it


def _kinds(*, between: bool, deflate: bool) -> bytes:
    table = {**_CONTROLS, **({0x01: _FIRST, 0x02: _FIRST, 0x81: _WHOLE, 0x82: _WHOLE} if between else {})}
    if between and deflate:  # RSV1 on the first frame of a message: it is compressed (RFC 7692 section 6)
        table |= {0x41: _FIRST, 0x42: _FIRST, 0xC1: _WHOLE, 0xC2: _WHOLE}
    if not between:
        table |= {0x00: _MIDDLE, 0x80: _LAST}
    return bytes(table.get(first, _BAD) for first in range(256))


_BETWEEN = _kinds(between=True, deflate=False), _kinds(between=True, deflate=True)
_WITHIN = _kinds(between=False, deflate=False)


class FrameReader:
    """Reads what one side sends. `from_client`: its frames are masked, those of an upstream are not.

    `messages` were begun and ended. After `closed` (the code of its Close frame) or `malformed` it is not listened to.
    `unanswered` is the payload of a ping of ours: the pong to it is not for the other side.
    """

    __slots__ = (
        "_between",
        "_frame_bytes_max",
        "_head_bytes",
        "_kept",
        "_left",
        "_mask_bit",
        "_message_bytes",
        "_message_bytes_max",
        "_within",
        "closed",
        "malformed",
        "messages",
        "unanswered",
    )

    def __init__(self, *, from_client: bool, deflate: bool, frame_bytes_max: int, message_bytes_max: int) -> None:
        """The bounds are at least BOUND_BYTES_MIN, in bytes as they travel: of what is compressed, the compressed."""
        self._between = _BETWEEN[deflate]
        self._mask_bit = _MASKED if from_client else 0
        self._head_bytes = 2 + MASK_BYTES if from_client else 2
        self._frame_bytes_max = min(frame_bytes_max, message_bytes_max)
        self._message_bytes_max = message_bytes_max
        self._kept = b""  # the beginning of a frame whose head, or control frame, has not come whole
        self._left = 0  # bytes that the present frame still owes
        self._within = False  # a message is under way
        self._message_bytes = 0
        self.messages = 0
        self.closed: int | None = None
        self.malformed: Malformed | None = None
        self.unanswered = b""

    @property
    def mid_frame(self) -> bool:
        """Whether the part of a frame has been passed on: nothing else may be put there before the rest of it."""
        return self._left > 0

    @property
    def ended(self) -> bool:
        return self.closed is not None or self.malformed is not None

    def rest_of_frame(self, data: bytes) -> bytes:
        """Take no more than what belongs to the present frame."""
        rest = data[: self._left]
        self._left -= len(rest)
        return rest

    def feed(self, data: bytes) -> bytes:
        """What is to be passed on. Look at `closed` and `malformed` afterwards."""
        at = self._left
        if at >= len(data):
            self._left = at - len(data)
            return data
        if self.ended:
            return b""
        self._left = 0
        if self._kept:
            data, self._kept = self._kept + data, b""
        size, head_bytes, mask_bit, between = len(data), self._head_bytes, self._mask_bit, self._between
        begin = 0  # of what is passed on
        out: list[bytes] = []
        while size - at >= 2:
            if not self._within and between[data[at]] == _WHOLE:
                length = data[at + 1] ^ mask_bit
                end = at + head_bytes + length
                if length <= _SHORT_BYTES_MAX and end <= size:  # most of those that come many at a time
                    self.messages += 1
                    at = end
                    continue
            end = self._next(data, at)
            if end < 0:  # not to be seen whole yet, or not to be passed on at all
                break
            if self.unanswered and self._answers(data, at, end):
                out.append(data[begin:at])
                begin = end
            at = end
            if self.closed is not None:
                break
        return self._pass_on(data, begin, at, out)

    def _pass_on(self, data: bytes, begin: int, at: int, out: list[bytes]) -> bytes:
        """`at`: where the next frame begins, perhaps beyond the data."""
        if at >= len(data):
            self._left = at - len(data)
        elif not self.ended:
            self._kept = data[at:]
        if not out and not begin and at >= len(data):
            return data
        out.append(data[begin:at])
        return out[0] if len(out) == 1 else b"".join(out)

    def _next(self, data: bytes, at: int) -> int:
        """Where the frame at `at` ends; -1 where more must come to tell, or when it is malformed."""
        kind = (_WITHIN if self._within else self._between)[data[at]]
        second = data[at + 1]
        if kind == _BAD:
            return self._refuse(PROTOCOL_ERROR, _what_is_bad(data[at], self._within))
        if second & _MASKED != self._mask_bit:
            return self._refuse(PROTOCOL_ERROR, "a frame that must be masked" if self._mask_bit else "a masked frame")
        length = second & ~_MASKED
        if kind >= _CLOSE:
            return self._control(data, at, kind, length)
        head_bytes = self._head_bytes
        if length > _SHORT_BYTES_MAX:
            more = 2 if length == _LENGTH_16 else 8
            if len(data) < at + 2 + more:
                return -1
            length = int.from_bytes(data[at + 2 : at + 2 + more], "big")
            if length >> 63 or length <= (_SHORT_BYTES_MAX if more == 2 else 0xFFFF):
                return self._refuse(PROTOCOL_ERROR, "a length that is not written as it must be")
            head_bytes += more
        if len(data) < at + head_bytes:
            return -1
        return self._count(kind, length, at + head_bytes + length)

    def _count(self, kind: int, length: int, end: int) -> int:
        size = length if kind <= _FIRST else self._message_bytes + length
        if length > self._frame_bytes_max or size > self._message_bytes_max:
            return self._refuse(TOO_BIG, "a message larger than this route takes")
        self._message_bytes = size
        self._within = kind in (_FIRST, _MIDDLE)
        if not self._within:
            self.messages += 1
        return end

    def _control(self, data: bytes, at: int, kind: int, length: int) -> int:
        if length > CONTROL_BYTES_MAX:
            return self._refuse(PROTOCOL_ERROR, "a control frame longer than 125 bytes")
        end = at + self._head_bytes + length
        if len(data) < end:
            return -1
        if kind == _CLOSE:
            said = said_in(self._payload(data, at, end))
            if isinstance(said, Malformed):
                return self._refuse(*said)
            self.closed = said
        return end

    def _answers(self, data: bytes, at: int, end: int) -> bool:
        """Whether this is the pong to our ping."""
        if data[at] == 0x8A and self._payload(data, at, end) == self.unanswered:
            self.unanswered = b""
            return True
        return False

    def _payload(self, data: bytes, at: int, end: int) -> bytes:
        """Of a control frame that has come whole."""
        begin = at + self._head_bytes
        payload = data[begin:end]
        return masked(payload, data[begin - MASK_BYTES : begin]) if self._mask_bit else payload

    def _refuse(self, code: int, reason: str) -> int:
        self.malformed = Malformed(code, reason)
        return -1


def _what_is_bad(first: int, within: bool) -> str:
    if first & 0x70:
        return "a reserved bit that no extension was agreed for"
    if first & 0x0F in (0x8, 0x9, 0xA):
        return "a fragmented control frame"
    if first & 0x0F <= 0x2:
        return "a new message within another" if within else "a continuation of no message"
    return "an unknown kind of frame"
