"""Whatever both sides send, each is sent whole frames in a lawful order, and learns of the end exactly once."""

import random

import pytest
from tests.websocket.making import BINARY, CLOSE, TEXT, expected, frame, ordinary_frames, pieces, random_frame

from foregate.websocket import Relay

MASK = b"\x01\x02\x03\x04"


def relay(**more: int) -> Relay:
    bounds = {"frame_bytes_max": 1 << 20, "message_bytes_max": 1 << 20, **more}
    return Relay(deflate=False, mask=lambda: MASK, **bounds)


def close(code: int, reason: str = "", mask: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode(), mask=mask)


def sent(out: list[bytes]) -> bytes:
    data = b"".join(out)
    out.clear()
    return data


def test_a_close_handshake_passes_as_it_is() -> None:
    both = relay()
    both.from_client(close(4001, "done", MASK))
    assert sent(both.upstream.out) == close(4001, "done", MASK)
    assert both.closing
    assert not both.over
    both.from_upstream(frame(TEXT, b"last words") + close(4001))
    assert sent(both.client.out) == frame(TEXT, b"last words") + close(4001)
    assert both.over
    assert (both.code, both.error) == (4001, "")


@pytest.mark.parametrize(
    ("bad", "code", "error"),
    [(b"\x83\x80", 1002, "websocket_malformed"), (frame(BINARY, bytes(2_000), mask=MASK), 1009, "websocket_too_large")],
)
def test_both_sides_are_told_what_a_client_broke(bad: bytes, code: int, error: str) -> None:
    both = relay(message_bytes_max=1_000)
    before = frame(TEXT, b"fine", mask=MASK)
    both.from_client(before + bad)
    to_upstream, to_client = sent(both.upstream.out), sent(both.client.out)
    assert to_upstream.startswith(before)
    assert expected(to_upstream, masked=True, deflate=False, frame_max=9_999, message_max=9_999).closed == code
    assert expected(to_client, masked=False, deflate=False, frame_max=9_999, message_max=9_999).closed == code
    assert both.error == error
    assert both.client.over
    assert not both.upstream.over
    both.from_upstream(close(code))
    assert both.over


def test_our_close_waits_for_the_end_of_a_frame_that_is_on_its_way() -> None:
    both = relay()
    data = frame(BINARY, bytes(1_000))
    both.from_upstream(data[:500])
    assert sent(both.client.out) == data[:500]
    both.fail(1001, "bye", "")
    assert sent(both.client.out) == b""
    both.from_upstream(data[500:] + frame(TEXT, b"never"))
    assert sent(both.client.out) == data[500:] + close(1001, "bye")


def test_a_side_that_is_lost_is_told_to_the_other_one() -> None:
    both = relay()
    both.lost(both.upstream, "upstream_truncated")
    assert sent(both.client.out) == close(1014, "the other side is gone")
    assert both.error == "upstream_truncated"
    assert not both.over
    both.from_client(close(1014, mask=MASK))
    assert both.over
    both = relay()
    both.lost(both.client, "client_closed")
    assert sent(both.upstream.out) == close(1001, "the other side is gone", MASK)


def test_a_side_that_is_lost_within_a_frame_cuts_the_other_one() -> None:
    both = relay()
    both.from_upstream(frame(BINARY, bytes(1_000))[:500])
    sent(both.client.out)
    both.fail(1001, "bye", "")
    both.lost(both.upstream, "upstream_truncated")
    assert sent(both.client.out) == b""
    assert both.client.cut
    assert both.over


def test_losing_a_side_after_its_close_frame_breaks_nothing() -> None:
    both = relay()
    both.from_upstream(close(1000))
    both.lost(both.upstream, "upstream_truncated")
    assert both.error == ""
    assert sent(both.client.out) == close(1000)
    both.from_client(close(1000, mask=MASK))
    assert both.over


def test_a_ping_goes_to_both_and_its_pongs_to_none() -> None:
    both = relay()
    both.ping(b"12345678")
    assert sent(both.client.out) == frame(9, b"12345678")
    assert sent(both.upstream.out) == frame(9, b"12345678", mask=MASK)
    both.from_client(frame(10, b"12345678", mask=MASK))
    both.from_upstream(frame(10, b"12345678"))
    assert sent(both.client.out) == sent(both.upstream.out) == b""


@pytest.mark.parametrize("seed", range(300))
def test_what_each_side_is_sent_is_always_well_formed(seed: int) -> None:
    rng = random.Random(seed)
    both = relay(message_bytes_max=100_000)
    make = random_frame if seed % 2 else lambda rng, masked: ordinary_frames(rng, masked, 1)[0]
    queues = {masked: pieces(rng, b"".join(make(rng, masked) for _ in range(25))) for masked in (True, False)}
    received = {True: b"", False: b""}
    while queues[True] or queues[False]:
        chance = rng.random()
        masked = rng.random() < 0.5
        if chance < 0.02:
            both.ping(b"12345678")
        elif chance < 0.025:
            both.fail(1001, "", "")
        elif chance < 0.03:
            both.lost(both.client if masked else both.upstream, "client_closed" if masked else "upstream_truncated")
            queues[masked].clear()
        elif queues[masked]:
            (both.from_client if masked else both.from_upstream)(queues[masked].pop(0))
        received[True] += sent(both.upstream.out)
        received[False] += sent(both.client.out)
    for masked, data in received.items():
        plain = expected(data, masked=masked, deflate=False, frame_max=1 << 20, message_max=1 << 20)
        assert plain.refused == 0
        side = both.upstream if masked else both.client
        if side.told and not side.gone:
            assert plain.closed is not None
            assert plain.passed == data  # nothing after a Close frame
