"""Server-sent events are kept alive by comments, between two events and nowhere else; their silence has its limit."""

import asyncio
from collections.abc import Sequence

import pytest
from tests.gateway.world import gateway, raw_upstream, route, run, service, talk
from tests.http2.asking import asking

from foregate.gateway.forwarding.event_stream import COMMENT, ends_event, is_event_stream
from foregate.wire.event_stream import EventStream
from foregate.wire.policies import Timeouts

BEAT = EventStream(heartbeat_s=0.1)
EVENTS = b"content-type: text/event-stream; charset=utf-8\r\n"
Script = Sequence[bytes | float]


async def through(script: Script, lines: bytes = EVENTS, timeouts: Timeouts | None = None) -> tuple[bytes, str]:
    """What a client gets of an answer that is written in these pieces, with these pauses; and the event's error."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + lines + b"\r\n")
        for each in script:
            if isinstance(each, float):
                await asyncio.sleep(each)
            else:
                writer.write(each)

    more = {} if timeouts is None else {"timeouts": timeouts}
    async with (
        raw_upstream(serve) as port,
        gateway([service(port)], [route("/", auth=(), event_stream=BEAT, **more)]) as world,
    ):
        raw = await talk(world.port, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        return raw.partition(b"\r\n\r\n")[2], world.event.error


def test_a_silence_between_events_is_filled_with_comments() -> None:
    async def main() -> None:
        body, error = await through([b"data: 1\n\n", 0.35, b"data: 2\r\n\r\n", 0.15])
        assert body.startswith(b"data: 1\n\n" + COMMENT)
        assert body.count(COMMENT) >= 3
        assert body.replace(COMMENT, b"") == b"data: 1\n\ndata: 2\r\n\r\n"
        assert error == ""

    run(main)


def test_a_stream_that_has_not_begun_is_kept_alive_too() -> None:
    async def main() -> None:
        body, _ = await through([0.25, b"data: 1\n\n"])
        assert body.startswith(COMMENT)

    run(main)


@pytest.mark.parametrize("begun", [b"data: half", b"data: line\n", b"data: 1\n\nid: 2\ndata: x"])
def test_nothing_is_put_into_an_event(begun: bytes) -> None:
    async def main() -> None:
        body, _ = await through([begun, 0.35, b"\n\n"])
        assert body == begun + b"\n\n"

    run(main)


def test_an_end_of_an_event_in_pieces_is_seen() -> None:
    async def main() -> None:
        body, _ = await through([b"data: 1\r\n", 0.02, b"\r", 0.02, b"\n", 0.25, b"data: 2\n\n"])
        assert body.startswith(b"data: 1\r\n\r\n" + COMMENT)

    run(main)


@pytest.mark.parametrize(
    "lines",
    [
        b"content-type: text/plain\r\n",
        EVENTS + b"content-length: 18\r\n",
        EVENTS + b"content-encoding: gzip\r\n",
    ],
)
def test_other_answers_are_left_alone(lines: bytes) -> None:
    async def main() -> None:
        body, _ = await through([b"data: 1\n\n", 0.3, b"data: 2\n\n"], lines)
        assert body == b"data: 1\n\ndata: 2\n\n"

    run(main)


def test_a_stream_may_be_silent_for_longer_than_an_answer_may_take() -> None:
    async def main() -> None:
        script = [b"data: 1\n\n", 0.6, b"data: 2\n\n"]
        for lines, error in ((EVENTS, ""), (b"content-type: text/plain\r\n", "upstream_timeout")):
            body, found = await through(script, lines, Timeouts(attempt_s=0.25, stream_idle_s=5.0))
            assert found == error
            assert body.endswith(b"data: 2\n\n") is (not error)
        _, found = await through(script, EVENTS, Timeouts(attempt_s=5.0, stream_idle_s=0.25))
        assert found == "upstream_timeout"

    run(main)


def test_the_boundaries_are_those_of_the_standard() -> None:
    for tail in (b"", b"\n\n", b"x\r\n\r\n", b"x\r\r", b"x\n\r\n"):
        assert ends_event(tail), tail
    for tail in (b"\n", b"x", b"x\r\n", b"x\r", b"\nx"):
        assert not ends_event(tail), tail
    assert is_event_stream([(b"content-type", b"Text/Event-Stream")])
    assert is_event_stream([(b"content-encoding", b"identity"), (b"content-type", b"text/event-stream")])
    assert not is_event_stream([])


def test_streams_over_http2_are_kept_alive_too() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + EVENTS + b"\r\ndata: 1\n\n")
        await asyncio.sleep(0.25)

    async def main() -> None:
        routes = [route("/", auth=(), event_stream=BEAT)]
        async with (
            raw_upstream(serve) as port,
            gateway([service(port)], routes) as world,
            asking(world.port) as client,
        ):
            answer = await client.ask("/")
            assert answer.body.startswith(b"data: 1\n\n" + COMMENT)

    run(main)
