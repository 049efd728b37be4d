"""An upstream's connection of HTTP/2 by itself: signs of life, its end when idle, and nonsense from the other side."""

import asyncio
import random
import socket
from typing import Any, cast

import hyperframe.frame
import ngh2
import pytest
from tests.http2.upstream import Asked, h2_upstream

from foregate.http1.deadlines import Deadlines
from foregate.http1.fetch import ClientResponse
from foregate.http2.client import UpstreamConnection
from foregate.kernel import limits
from foregate.kernel.errors import ForegateError

HEAD = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
GARBAGE = 3_000  # mutated answers, with a seed each


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    def now(self) -> float:
        return self.now_s


class Owner:
    def __init__(self) -> None:
        self.closed = 0

    def connection_closed(self, connection: UpstreamConnection) -> None:
        self.closed += 1


class Rig:
    def __init__(self) -> None:
        self.clock = Hand()
        self.deadlines = Deadlines(self.clock, tick_s=1e6)
        self.owner = Owner()
        self.connection = UpstreamConnection(self.owner, self.clock, self.deadlines, b"http", 100)

    async def connect(self, port: int) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self.connection, "127.0.0.1", port)

    def ask(self, data: bytes = HEAD) -> ClientResponse:
        response = ClientResponse()
        self.connection.reserve().send(response, data, 1e6, False, True, False)
        return response

    async def later(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.deadlines.sweep()
        await asyncio.sleep(0.05)


async def silent(asked: Asked) -> None:
    await asked.reset.wait()


async def empty(asked: Asked) -> None:
    asked.head(204, end=True)


def test_one_that_is_idle_says_goodbye_and_is_closed() -> None:
    async def main() -> None:
        async with h2_upstream(empty) as (served, port):
            rig = Rig()
            await rig.connect(port)
            await rig.ask().head()
            await rig.later(limits.UPSTREAM_IDLE_S - 1)
            assert rig.connection.usable
            await rig.later(2)
            assert (rig.owner.closed, served.goodbyes) == (1, 1)
            rig.deadlines.stop()

    asyncio.run(main())


def test_one_that_has_been_quiet_is_asked_for_a_sign_of_life_with_the_next_request() -> None:
    async def main() -> None:
        async with h2_upstream(empty) as (served, port):
            rig = Rig()
            await rig.connect(port)
            await rig.ask().head()
            assert served.connections[0].pings == 0
            await rig.later(limits.UPSTREAM_QUIET_S + 1)
            await rig.ask().head()
            await asyncio.sleep(0.05)
            assert served.connections[0].pings == 1
            served.deaf = True
            await rig.later(limits.UPSTREAM_QUIET_S + 1)
            response = rig.ask()
            await rig.later(limits.UPSTREAM_PING_TIMEOUT_S + 1)
            with pytest.raises(ForegateError, match="upstream_closed"):
                await response.head()
            assert rig.owner.closed == 1
            rig.deadlines.stop()

    asyncio.run(main())


def test_a_request_that_waits_for_long_asks_for_a_sign_of_life_now_and_then() -> None:
    async def main() -> None:
        async with h2_upstream(silent) as (served, port):
            rig = Rig()
            await rig.connect(port)
            rig.ask()
            await asyncio.sleep(0.05)
            for _ in range(3):
                await rig.later(limits.UPSTREAM_PING_S + 1)
            assert served.connections[0].pings == 3
            assert rig.connection.usable
            rig.connection.break_off()
            await asyncio.sleep(0.02)
            rig.deadlines.stop()

    asyncio.run(main())


def test_a_request_that_a_goaway_forestalls_is_told_as_not_processed_and_may_go_elsewhere() -> None:
    """It was queued in the very turn of the loop in which the upstream said goodbye: not a byte of it was sent."""

    async def main() -> None:
        for others in (0, 1):
            async with h2_upstream(silent) as (served, port):
                rig = Rig()
                await rig.connect(port)
                await asyncio.sleep(0.05)
                waiting = [rig.ask() for _ in range(others)]
                await asyncio.sleep(0.05)
                response, stream = ClientResponse(), rig.connection.reserve()
                stream.send(response, b"POST / HTTP/1.1\r\nhost: a\r\n\r\nbody", 1e6, False, True, False)
                goaway = hyperframe.frame.GoAwayFrame(0, last_stream_id=2 * others - 1 if others else 0).serialize()
                rig.connection.data_received(goaway)
                with pytest.raises(ForegateError, match="upstream_closed"):
                    await response.head()
                assert stream.unprocessed
                assert len(served.requests) == others
                assert not any(each._failure for each in waiting)  # the ones before it go on
                rig.connection.break_off()
                await asyncio.sleep(0.02)
                assert rig.owner.closed == 1
                rig.deadlines.stop()

    asyncio.run(main())


def test_one_whose_upstream_reads_nothing_any_more_is_gone_in_the_end() -> None:
    """Closing waits for what is still to be written, which would be for ever."""

    async def main() -> None:
        settings = hyperframe.frame.SettingsFrame(
            0, settings={hyperframe.frame.SettingsFrame.INITIAL_WINDOW_SIZE: 1 << 30}
        )
        window = hyperframe.frame.WindowUpdateFrame(0, window_increment=1 << 30)
        with socket.create_server(("127.0.0.1", 0)) as server:
            rig = Rig()
            await rig.connect(server.getsockname()[1])
            peer, _ = server.accept()
            with peer:
                peer.sendall(settings.serialize() + window.serialize())
                await asyncio.sleep(0.05)
                response, stream = ClientResponse(), rig.connection.reserve()
                stream.send(response, b"POST / HTTP/1.1\r\nhost: a\r\n\r\n", 1e6, False, False, False)
                while not stream.congested:
                    stream.write([bytes(1 << 20)], False)
                    await asyncio.sleep(0.005)
                stream.abandon(response)
                await rig.later(limits.UPSTREAM_IDLE_S + 1)
                assert not rig.connection.usable
                await rig.later(limits.UPSTREAM_PING_TIMEOUT_S + 1)
                assert rig.owner.closed == 1
                rig.deadlines.stop()

    asyncio.run(main())


class Pipe:
    """A transport without a socket, for as many connections as a second has room for."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.gone = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.gone

    def close(self) -> None:
        self.gone = True

    abort = close

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing is ever full."""


def _answers(sent: bytes, rng: random.Random) -> bytes:
    """What a server answers to three requests, all of it."""
    server = ngh2.Connection(ngh2.Role.SERVER, ngh2.Configuration())
    server.initiate_connection()
    server.receive_data(sent)
    for event in server.events():
        if isinstance(event, ngh2.RequestReceived):
            server.send_response(event.stream_id, [(b":status", b"200"), (b"x-own", b"value")])
            server.send_data(event.stream_id, bytes(rng.randrange(300)))
            server.send_trailers(event.stream_id, [(b"grpc-status", b"0")])
    return bytes(server.data_to_send())


def _mutated(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(changed))
        what = rng.randrange(4)
        if what == 0:
            changed[at] = rng.randrange(256)
        elif what == 1:
            del changed[at : at + rng.randrange(1, 12)]
        elif what == 2:
            changed[at:at] = rng.randbytes(rng.randrange(1, 12))
        else:
            changed[at:at] = changed[at : at + rng.randrange(1, 40)]
        if not changed:
            return b"\0"
    return bytes(changed)


def test_no_answer_however_broken_breaks_more_than_its_connection() -> None:
    async def one(seed: int) -> None:
        rng = random.Random(seed)
        rig = Rig()
        pipe = Pipe()
        rig.connection.connection_made(cast(Any, pipe))
        responses = [rig.ask() for _ in range(3)]
        await asyncio.sleep(0)
        data = _mutated(_answers(bytes(pipe.sent), rng), rng)
        cut = rng.randrange(len(data))
        for piece in (data[:cut], data[cut:]):
            if piece and not pipe.gone:
                rig.connection.data_received(piece)
        await asyncio.sleep(0)
        rig.connection.connection_lost(None)
        for response in responses:  # each has come to an end that says what it is
            assert response._complete or response._failure, seed
        assert not rig.connection._streams
        assert len(rig.deadlines) == 0
        assert rig.owner.closed == 1
        rig.deadlines.stop()

    async def main() -> None:
        for seed in range(GARBAGE):
            await one(seed)

    asyncio.run(main())
