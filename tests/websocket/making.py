"""Frames as the RFC writes them, and what is to become of a stream of them: slow, plain, and not the product's code."""

import random
from typing import NamedTuple

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def xored(payload: bytes, mask: bytes) -> bytes:
    key = mask * (len(payload) // 4 + 1)
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key[: len(payload)], "little")).to_bytes(
        len(payload), "little"
    )


def frame(
    opcode: int, payload: bytes = b"", *, mask: bytes = b"", fin: bool = True, rsv: int = 0, form: int | None = None
) -> bytes:
    """`form`: 0, 2 or 8 bytes of extended length, whatever would be right."""
    size = len(payload)
    form = form if form is not None else 0 if size < 126 else 2 if size < 65_536 else 8
    short = size if form == 0 else 126 if form == 2 else 127
    head = bytes((fin << 7 | rsv << 4 | opcode, bool(mask) << 7 | short)) + (
        size.to_bytes(form, "big") if form else b""
    )
    return head + mask + xored(payload, mask) if mask else head + payload


class Seen(NamedTuple):
    passed: bytes
    messages: int
    closed: int | None
    refused: int  # the code, 0 for none


class Head(NamedTuple):
    fin: bool
    rsv: int
    opcode: int
    length: int
    form: int
    body: int  # where the payload begins


def head_at(data: bytes, at: int) -> Head | None:
    """None where it has not come whole. The length is that of the second byte while its extension has not come."""
    if len(data) - at < 2:
        return None
    first, second = data[at], data[at + 1]
    length, form = second & 127, {126: 2, 127: 8}.get(second & 127, 0)
    if form and len(data) >= at + 2 + form:
        length = int.from_bytes(data[at + 2 : at + 2 + form], "big")
    return Head(bool(first >> 7), first >> 4 & 7, first & 15, length, form, at + 2 + form + 4 * (second >> 7))


def breaks(data: bytes, at: int, head: Head, masked: bool, deflate: bool, within: bool) -> bool:
    """Whether a frame breaks RFC 6455 section 5 by what of its head has come."""
    starts, control = head.opcode in (TEXT, BINARY), head.opcode >= 8
    if head.rsv and not (head.rsv == 4 and deflate and starts):
        return True
    if head.opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
        return True
    if (starts and within) or (head.opcode == 0 and not within):
        return True
    if (data[at + 1] >> 7) != masked or (control and (head.form or not head.fin)):
        return True
    come = len(data) >= at + 2 + head.form
    return bool(head.form) and come and not (126 if head.form == 2 else 65_536) <= head.length < 1 << 63


def close_code(payload: bytes) -> tuple[int | None, int]:
    """(the code, 0), or (None, the code with which it is refused)."""
    if not payload:
        return 1005, 0
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in (1000, 1001, 1002, 1003, *range(1007, 1015)) or 3000 <= code <= 4999):
        return None, 1002
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return None, 1007
    return code, 0


def expected(data: bytes, *, masked: bool, deflate: bool, frame_max: int, message_max: int) -> Seen:
    """What is passed on of a whole stream that has come."""
    at, messages, size, within = 0, 0, 0, False
    while (head := head_at(data, at)) is not None:
        if breaks(data, at, head, masked, deflate, within):
            return Seen(data[:at], messages, None, 1002)
        if len(data) < head.body or (head.opcode >= 8 and len(data) < head.body + head.length):
            break
        end = head.body + head.length
        if head.opcode < 8:
            size = head.length + (size if head.opcode == 0 else 0)
            if head.length > frame_max or size > message_max:
                return Seen(data[:at], messages, None, 1009)
            within = not head.fin
            messages += head.fin
        elif head.opcode == CLOSE:
            payload = data[head.body : end]
            if masked:
                payload = xored(payload, data[head.body - 4 : head.body])
            code, refused = close_code(payload)
            return Seen(data[: end if code else at], messages, code, refused)
        at = end
    return Seen(data[:at], messages, None, 0)


def random_frame(rng: random.Random, masked: bool) -> bytes:
    """Mostly well-formed, of all sorts and of sizes at the edges."""
    mask = rng.randbytes(4) if masked != (rng.random() < 0.01) else b""
    sort = rng.random()
    if sort < 0.2:
        payload = rng.randbytes(rng.choice((0, 1, 4, 125)) if rng.random() < 0.95 else 126)
        return frame(rng.choice((PING, PONG)), payload, mask=mask, fin=rng.random() < 0.98)
    if sort < 0.25:
        said = rng.choice(
            (b"", b"\x03\xe8", b"\x03\xe9bye", b"\x03\xed", b"\x0f\xa0", b"\x03", b"\x03\xe8\xff", b"\x13\x88")
        )
        return frame(CLOSE, said, mask=mask)
    payload = rng.randbytes(rng.choice((0, 1, 5, 125, 126, 127, 300, 65_535, 65_536) if sort < 0.4 else (0, 3, 20)))
    form = None if rng.random() < 0.97 else 8 if len(payload) > 65_535 else rng.choice((2, 8))
    opcode = rng.choice((0, TEXT, BINARY)) if rng.random() < 0.98 else rng.randrange(16)
    rsv = 0 if rng.random() < 0.9 else rng.choice((4, 4, 4, 2, 1))
    return frame(opcode, payload, mask=mask, fin=rng.random() < 0.6, rsv=rsv, form=form)


def ordinary_frames(rng: random.Random, masked: bool, count: int) -> list[bytes]:
    """Messages, some in fragments with pings between them: nothing that would be refused."""
    frames: list[bytes] = []
    within = False
    for _ in range(count):
        mask = rng.randbytes(4) if masked else b""
        if rng.random() < 0.15:
            frames.append(frame(rng.choice((PING, PONG)), rng.randbytes(rng.randrange(126)), mask=mask))
            continue
        payload = rng.randbytes(rng.choice((0, 1, 8, 60, 125, 126, 1_000)) if rng.random() < 0.99 else 70_000)
        fin = rng.random() < 0.7
        frames.append(frame(0 if within else rng.choice((TEXT, BINARY)), payload, mask=mask, fin=fin))
        within = not fin
    return frames


def pieces(rng: random.Random, data: bytes) -> list[bytes]:
    """Cut anywhere: byte by byte, in reads of all sizes, or not at all."""
    most = rng.choice((1, 3, 17, 1_000, 100_000)) if len(data) < 2_000 else rng.choice((17, 1_000, 100_000))
    parts, at = [], 0
    while at < len(data):
        size = rng.randint(1, most)
        parts.append(data[at : at + size])
        at += size
    return parts
