"""Server-sent events are the same however their bytes were cut, and never larger than their bound."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.gateway.ai import sse


def _read(pieces: list[bytes]) -> list[sse.Event]:
    parser = sse.Parser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.finish()


def _said(events: list[sse.Event]) -> list[tuple[bytes, bytes]]:
    return [(event.kind, event.data) for event in events if event.data is not None]


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"])
def test_events_of_the_standard_are_read_with_every_end_of_line(eol: bytes) -> None:
    lines = (
        b"\xef\xbb\xbf: a comment",
        b"",
        b"event: add",
        b"data: YHOO",
        b"data:+2",
        b"data:  10",
        b"id: 7",
        b"retry: 10",
        b"",
        b"data",
        b"",
        b"event: alone",
        b"",
        b'data: {"caf\xc3\xa9": ": not a comment"}',
        b"",
        b"data: never ended",
    )
    events = _read([eol.join(lines)])
    assert _said(events) == [(b"add", b"YHOO\n+2\n 10"), (b"", b""), (b"", b'{"caf\xc3\xa9": ": not a comment"}')]
    assert events[1].id == b"7"


_LINES = st.sampled_from(
    [b"data: x", b"data: {}", b"event: e", b": c", b"", b"", b"id: 1", "data: 世界".encode(), b"d"]
)
_STREAMS = st.lists(st.tuples(_LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=12).map(
    lambda lines: b"".join(line + eol for line, eol in lines)
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(_STREAMS, st.data())
def test_any_cutting_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    whole = _read([stream])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert _read(pieces) == whole
    assert _read([stream[n : n + 1] for n in range(len(stream))]) == whole
    assert stream.startswith(b"".join(event.raw for event in whole)), "raw bytes are those that came"


def test_an_event_that_never_ends_is_refused_at_its_bound_and_costs_no_more_than_its_bytes() -> None:
    parser = sse.Parser(event_bytes_max=10_000)
    for _ in range(10_000 // 10):
        assert parser.feed(b"data: xxxx") == []
    with pytest.raises(sse.TooLarge):
        parser.feed(b"data: xxxx")
    with pytest.raises(sse.TooLarge):
        sse.Parser(event_bytes_max=100).feed(b"data: " + b"x" * 200 + b"\n\n")


def test_bytes_of_any_kind_are_read_without_an_error() -> None:
    rng = random.Random(11)
    alphabet = [b"data: ", b"event:", b"\n", b"\r", b"\n\n", b"\xff", b"\x00", b":", b"\xef\xbb\xbf", b"{}"]
    for _ in range(2_000):
        stream = b"".join(rng.choices(alphabet, k=rng.randint(0, 30)))
        cut = rng.randint(0, len(stream))
        assert _read([stream[:cut], stream[cut:]]) == _read([stream])


def test_what_is_written_is_read_again() -> None:
    written = sse.write(b"one\ntwo", b"kind") + sse.write(b"{}")
    assert _said(_read([written])) == [(b"kind", b"one\ntwo"), (b"", b"{}")]
