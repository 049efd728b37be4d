"""A stream of frames is passed on as it came, up to what breaks the protocol, however it was cut into reads."""

import random

import pytest
from tests.websocket.making import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Seen,
    expected,
    frame,
    ordinary_frames,
    pieces,
    random_frame,
)

from foregate.websocket import FrameReader
from foregate.websocket.close import close_frame, ping_frame

MASK = b"\x12\x34\x56\x78"


def reader(
    *, client: bool = False, deflate: bool = False, frame_max: int = 1 << 24, message_max: int = 1 << 24
) -> FrameReader:
    return FrameReader(from_client=client, deflate=deflate, frame_bytes_max=frame_max, message_bytes_max=message_max)


def seen(one: FrameReader, parts: list[bytes]) -> Seen:
    passed = b"".join(one.feed(part) for part in parts)
    return Seen(passed, one.messages, one.closed, one.malformed.code if one.malformed is not None else 0)


@pytest.mark.parametrize("seed", range(600))
def test_it_agrees_with_a_plain_reading_of_the_rfc(seed: int) -> None:
    rng = random.Random(seed)
    masked, deflate = rng.random() < 0.5, rng.random() < 0.5
    frame_max, message_max = rng.choice(((1 << 24, 1 << 24), (65_535, 1 << 24), (1_000, 1_200), (125, 125)))
    if seed % 3:
        data = b"".join(random_frame(rng, masked) for _ in range(rng.randrange(1, 40)))
    else:
        data = b"".join(ordinary_frames(rng, masked, rng.randrange(1, 60)))
    if rng.random() < 0.3:
        data = data[: rng.randrange(len(data) + 1)]
    want = expected(data, masked=masked, deflate=deflate, frame_max=frame_max, message_max=min(message_max, 1 << 24))
    one = reader(client=masked, deflate=deflate, frame_max=frame_max, message_max=message_max)
    assert seen(one, pieces(rng, data)) == want


def test_what_passes_in_one_piece_is_not_copied() -> None:
    one = reader()
    many = frame(TEXT, b"hello") * 1_000
    assert one.feed(many) is many
    large = frame(BINARY, bytes(1 << 20))
    first, rest = large[:100_000], large[100_000:]
    assert one.feed(first) is first
    assert one.feed(rest) is rest
    assert one.messages == 1_001


def test_nothing_is_kept_but_the_head_of_a_frame() -> None:
    one = reader(client=True)
    data = frame(BINARY, bytes(100_000), mask=MASK)
    for size in range(1, 14):
        assert one.feed(data[size - 1 : size]) == b""
    assert one.feed(data[13:14]) == data[:14]
    assert one.mid_frame


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"x", mask=MASK), 1002),
        (frame(TEXT, b"x", rsv=4), 1002),
        (frame(3), 1002),
        (frame(PING, fin=False), 1002),
        (frame(PING, bytes(126)), 1002),
        (frame(0, b"x"), 1002),
        (frame(TEXT, fin=False) + frame(TEXT), 1002),
        (frame(TEXT, b"x", form=2), 1002),
        (b"\x82\x7f" + (1 << 63).to_bytes(8, "big"), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, b"\x03\xee"), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (b"\x82\x7f" + (1 << 62).to_bytes(8, "big"), 1009),
        (frame(TEXT, bytes(600), fin=False) + frame(0, bytes(600)), 1009),
    ],
)
def test_what_breaks_the_protocol_or_a_bound_ends_it_with_its_code(data: bytes, code: int) -> None:
    one = reader(message_max=1_000)
    before = frame(TEXT, b"fine")
    assert one.feed(before + data).startswith(before)
    assert one.malformed is not None
    assert one.malformed.code == code
    assert one.feed(frame(TEXT, b"more")) == b""


def test_the_pong_to_our_ping_is_ours_and_all_others_pass() -> None:
    for client in (False, True):
        mask = MASK if client else b""
        one = reader(client=client)
        one.unanswered = b"ours"
        theirs, ours = frame(PONG, b"theirs", mask=mask), frame(PONG, b"ours", mask=mask)
        text = frame(TEXT, b"x", mask=mask)
        assert one.feed(text + theirs + ours + text) == text + theirs + text
        assert one.feed(ours) == ours


def test_our_frames_are_written_as_the_rfc_says() -> None:
    assert close_frame(1001, "bye", b"") == frame(CLOSE, b"\x03\xe9bye")
    assert close_frame(1001, "bye", MASK) == frame(CLOSE, b"\x03\xe9bye", mask=MASK)
    assert ping_frame(b"12345678", MASK) == frame(PING, b"12345678", mask=MASK)
    assert len(close_frame(1000, "x" * 500, b"")) == 2 + 125
