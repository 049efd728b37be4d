"""What a client of HTTP/2 says, frame by frame, and what attackers make of it. One `random.Random` decides everything.

Heads are written with a compression of the plainest kind (RFC 7541 section 6.2.2: literals, nothing remembered), so a
changed byte spoils one head and not all that follow.
"""

from __future__ import annotations

import random
import struct
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 0x1, 0x4
_STREAMS_MAX = 6
_STRANGE = (
    (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"te", b"gzip"), (b"te", b"trailers"),
    (b"host", b"b"), (b"host", b"a"), (b"content-length", b"3"), (b"content-length", b"-1"), (b"X-Upper", b"1"),
    (b"", b"x"), (b":path", b"/again"), (b":late", b"x"), (b"x", b"a\r\nb: c"), (b"x", b" a "), (b"x\0", b"y"),
    (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"upgrade", b"h2c"), (b"expect", b"100-continue"), (b"expect", b"x"),
    (b":protocol", b"websocket"), (b"x-long", b"y" * 5_000), (b"x_under", b"1"), (b"keep-alive", b"1"),
)  # fmt: skip
_PATHS = (
    b"/",
    b"/a?b=c",
    b"*",
    b"",
    b"/a#b",
    b"a",
    b"/a b",
    b"http://a/",
    b"/\xc3\xa9",
    b"/" + b"a" * 9_000,
    b"//",
    b"/%2e",
)
_METHODS = (b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"CONNECT", b"G ET", b"", b"PURGE", b"TRACE")
_PAYLOADS = (
    b"",
    b"\0\0\0\0",
    b"\0\0\0\1",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0\0",
    b"01234567",
    b"x" * 100,
)


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    def encoded(self) -> bytes:
        head = struct.pack(">I", len(self.payload))[1:] + bytes([self.kind, self.flags])
        return head + struct.pack(">I", self.stream) + self.payload


def block(fields: list[tuple[bytes, bytes]]) -> bytes:
    """Fields as literals without indexing."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _text(text: bytes) -> bytes:
    size = len(text)
    if size < 127:
        return bytes([size]) + text
    size -= 127
    head = b"\x7f"
    while size >= 128:
        head += bytes([size & 127 | 128])
        size >>= 7
    return head + bytes([size]) + text


def _request(rng: random.Random, stream: int, *, plain: bool) -> list[Frame]:
    bodied = not rng.randrange(3)
    method = b"POST" if bodied else b"GET" if plain or rng.randrange(3) else rng.choice(_METHODS)
    path = b"/a?b=c" if plain or rng.randrange(3) else rng.choice(_PATHS)
    fields = [(b":method", method), (b":scheme", b"http"), (b":authority", b"a"), (b":path", path)]
    if not plain:
        for _ in range(rng.randrange(3)):
            fields.insert(rng.randint(0, len(fields)) if not rng.randrange(4) else len(fields), rng.choice(_STRANGE))
    chunks = [b"x" * rng.choice((0, 1, 5, 300)) for _ in range(rng.randint(1, 3))] if bodied else []
    trailers = bodied and not rng.randrange(3)
    if bodied and rng.randrange(2):
        fields.append((b"content-length", b"%d" % sum(map(len, chunks))))
    head = block(fields)
    ends = 0 if bodied else END_STREAM
    if rng.randrange(4) or len(head) < 2:
        frames = [Frame(HEADERS, ends | END_HEADERS, stream, head)]
    else:
        cut = rng.randrange(1, len(head))
        frames = [Frame(HEADERS, ends, stream, head[:cut]), Frame(CONTINUATION, END_HEADERS, stream, head[cut:])]
    for number, chunk in enumerate(chunks):
        last = number == len(chunks) - 1 and not trailers
        frames.append(Frame(DATA, END_STREAM if last else 0, stream, chunk))
    if trailers:
        frames.append(Frame(HEADERS, END_STREAM | END_HEADERS, stream, block([(b"x-sum", b"1")])))
    return frames


def _extra(rng: random.Random, stream: int) -> Frame:
    kind = rng.randrange(6)
    if kind == 0:
        return Frame(PING, rng.randrange(2), 0, b"01234567")
    if kind == 1:
        return Frame(WINDOW_UPDATE, 0, rng.choice((0, stream)), struct.pack(">I", rng.choice((1, 100, 65_535))))
    if kind == 2:
        return Frame(RST_STREAM, 0, stream, struct.pack(">I", rng.choice((0, 8))))
    if kind == 3:
        return Frame(PRIORITY, 0, stream, b"\0\0\0\0\x10")
    if kind == 4:
        return Frame(
            SETTINGS, 0, 0, struct.pack(">HI", rng.choice((1, 3, 4, 5, 6, 8, 9)), rng.choice((0, 1, 100, 16_384)))
        )
    return Frame(rng.choice((0x0A, 0x10, 0x77)), 0, rng.choice((0, stream)), b"0 a")


def _mixed(rng: random.Random, streams: list[list[Frame]]) -> list[Frame]:
    """Frames of several streams in turn; a head and its continuation stay together."""
    frames: list[Frame] = []
    waiting = [list(each) for each in streams]
    begun = 0
    while any(waiting):
        ready = [number for number in range(min(begun + 1, len(waiting))) if waiting[number]]
        number = rng.choice(ready) if ready else begun + 1
        begun = max(begun, number + 1)
        frame = waiting[number].pop(0)
        frames.append(frame)
        while frame.kind in (HEADERS, CONTINUATION) and not frame.flags & END_HEADERS:
            frame = waiting[number].pop(0)
            frames.append(frame)
    return frames


def _mutated(rng: random.Random, frames: list[Frame]) -> list[Frame]:
    """One change of any kind."""
    at = rng.randrange(len(frames))
    frame = frames[at]
    kind = rng.randrange(9)
    if kind == 0:
        changed = [frame._replace(flags=frame.flags ^ (1 << rng.randrange(8)))]
    elif kind == 1:
        changed = [frame._replace(kind=rng.choice((*range(10), 0x10)))]
    elif kind == 2:
        changed = [frame._replace(stream=rng.choice((0, 1, 2, 3, frame.stream + 2, 2**31 - 1, 2**31 + 1)))]
    elif kind == 3:
        changed = [frame._replace(payload=rng.choice(_PAYLOADS))]
    elif kind == 4:
        changed = [frame, frame]
    elif kind == 5:
        changed = []
    elif kind == 6:
        changed = [
            frame,
            Frame(rng.randrange(10), rng.randrange(256), rng.choice((0, 1, 3, 99)), rng.choice(_PAYLOADS)),
        ]
    elif kind == 7 and frame.payload:
        spot = rng.randrange(len(frame.payload))
        bit = bytes([frame.payload[spot] ^ (1 << rng.randrange(8))])
        changed = [frame._replace(payload=frame.payload[:spot] + bit + frame.payload[spot + 1 :])]
    else:
        changed = [frame._replace(payload=frame.payload[: rng.randint(0, len(frame.payload))])]
    return frames[:at] + changed + frames[at + 1 :]


def conversation(rng: random.Random) -> tuple[list[Frame], bool]:
    """What a client says after the preface, and whether all of it is as it should be: every eighth is."""
    plain = not rng.randrange(8)
    streams = [_request(rng, 2 * number + 1, plain=plain) for number in range(rng.randint(1, _STREAMS_MAX))]
    frames = [Frame(SETTINGS, 0, 0, b""), Frame(SETTINGS, 1, 0, b""), *_mixed(rng, streams)]
    if not plain:
        for _ in range(rng.randrange(4)):
            frames.insert(rng.randint(1, len(frames)), _extra(rng, rng.choice(range(1, 2 * _STREAMS_MAX, 2))))
        for _ in range(rng.randint(1, 4)):
            if frames:
                frames = _mutated(rng, frames)
    return frames, plain


def encoded(rng: random.Random, frames: list[Frame], *, plain: bool) -> bytes:
    """The bytes; at times spoilt below the level of frames."""
    data = PREFACE + b"".join(frame.encoded() for frame in frames)
    if not plain and not rng.randrange(4):
        at = rng.randrange(len(data))
        data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + rng.randrange(3) :]
    return data
