"""However a WebSocket ends, both sides learn of it in their protocol, and one event says why."""

import asyncio
import contextlib
import gc
from collections.abc import Callable

import msgspec
import pytest
from tests.gateway.websockets.rig import ClientConnection, ServerConnection, client, event, until, websockets, world
from tests.gateway.world import World, gateway, raw_upstream, route, run, service, snapshot
from websockets.exceptions import ConnectionClosed

from foregate.websocket import accept_of
from foregate.wire.websocket import WebSocket

BUFFERS_BYTES_MAX = 24_000_000  # of all sockets and buffers on the way; generously


async def closing(socket: ClientConnection | ServerConnection) -> int | None:
    """Read to the end, and say with which code it came (1006: without a Close frame)."""
    try:
        while True:
            await asyncio.wait_for(socket.recv(), 10.0)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else 1006


class Codes:
    """An upstream that echoes, and remembers with which codes it was left."""

    def __init__(self) -> None:
        self.seen: list[int | None] = []

    async def __call__(self, connection: ServerConnection) -> None:
        try:
            while True:
                await connection.send(await connection.recv())
        except ConnectionClosed as closed:
            self.seen.append(closed.rcvd.code if closed.rcvd is not None else 1006)


def cut(socket: ClientConnection | ServerConnection) -> None:
    """End it as a killed process does: without a Close frame."""
    socket.transport.abort()


def test_an_upstream_that_is_killed_is_1014_to_the_client_and_its_own_fault() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        cut(connection)

    async def main() -> None:
        async with world(handler) as w, client(w) as socket:
            await socket.send("die")
            assert await closing(socket) == 1014
            said = await event(w)
            assert (said.status, said.error, said.failed) == (101, "upstream_truncated", True)

    run(main)


def test_a_client_that_vanishes_is_1001_to_the_upstream_and_no_failure() -> None:
    codes = Codes()

    async def main() -> None:
        async with world(codes) as w:
            socket = await client(w)
            await socket.send("x")
            await socket.recv()
            cut(socket)
            said = await event(w)
            assert (said.status, said.error, said.failed) == (101, "client_closed", False)
            await until(lambda: codes.seen == [1001])

    run(main)


def test_an_upstream_cut_in_the_middle_of_a_frame_cuts_the_client() -> None:
    """The rest of the frame will never come, and a Close frame would be read as part of it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(line for line in head.split(b"\r\n") if line.startswith(b"sec-websocket-key: "))[19:]
        said = b"upgrade: websocket\r\nsec-websocket-accept: " + accept_of(key)
        writer.write(b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\n" + said + b"\r\n\r\n\x82\x7e\x10\x00partly")
        await writer.drain()

    async def main() -> None:
        takes = route("/", auth=(), websocket=WebSocket())
        async with raw_upstream(serve) as port, gateway([service(port)], [takes]) as w:
            assert await closing(await client(w)) == 1006
            assert (await event(w)).error == "upstream_truncated"

    run(main)


@pytest.mark.parametrize(
    ("bad", "code", "error"),
    [
        (b"\x83\x80\0\0\0\0", 1002, "websocket_malformed"),
        (b"\x82\x01x", 1002, "websocket_malformed"),
        (b"\xc2\x80\0\0\0\0", 1002, "websocket_malformed"),
        (b"\x88\x82\0\0\0\0\x03\xed", 1002, "websocket_malformed"),
        (b"\x82\xfe\x10\x00\0\0\0\0", 1009, "websocket_too_large"),
    ],
)
def test_what_a_client_breaks_is_told_to_both_sides(bad: bytes, code: int, error: str) -> None:
    codes = Codes()

    async def main() -> None:
        async with world(codes, message_bytes_max=1_000) as w:
            socket = await client(w)
            await socket.send("fine")
            assert await socket.recv() == "fine"
            socket.transport.write(bad + b"\x00" * 100_000)
            assert await closing(socket) == code
            said = await event(w)
            assert (said.error, said.failed) == (error, False)
            await until(lambda: codes.seen == [code])

    run(main)


def test_what_an_upstream_breaks_is_told_to_both_sides() -> None:
    codes: list[int] = []

    async def handler(connection: ServerConnection) -> None:
        connection.transport.write(b"\x82\x80\0\0\0\0")  # masked
        codes.append(await closing(connection) or 0)

    async def main() -> None:
        async with world(handler) as w:
            assert await closing(await client(w)) == 1002
            said = await event(w)
            assert (said.error, said.failed) == ("upstream_malformed", True)
            await until(lambda: codes == [1002])

    run(main)


def test_silence_ends_it_and_a_word_from_either_side_does_not() -> None:
    async def handler(connection: ServerConnection) -> None:
        if connection.request.path == "/chatty":
            for _ in range(8):
                await connection.send("tick")
                await asyncio.sleep(0.1)
        await connection.wait_closed()

    async def main() -> None:
        async with world(handler, idle_timeout_s=0.4) as w:
            silent, chatty = await client(w), await client(w, "/chatty")
            assert await closing(silent) == 1001
            assert (await event(w)).error == "websocket_idle"
            assert [await chatty.recv() for _ in range(8)] == ["tick"] * 8
            assert await closing(chatty) == 1001

    run(main)


@pytest.mark.parametrize("ping_s", [0.2, 0.8])
def test_pings_of_ours_keep_it_open_and_find_the_side_that_is_dead(ping_s: float) -> None:
    codes = Codes()

    async def main() -> None:
        async with world(codes, idle_timeout_s=1.2, ping_s=ping_s) as w:
            async with client(w) as socket:
                await asyncio.sleep(2.5)
                await socket.send("still there")
                assert await socket.recv() == "still there"
            socket = await client(w)
            socket.protocol.receive_data = lambda data: None  # it hears nothing any more, and so answers nothing
            await until(lambda: codes.seen == [1000, 1001])
            cut(socket)
            await until(lambda: len(w.sink.events) == 2)
            assert w.sink.events[1].error == "websocket_idle"

    run(main)


CHUNK = bytes(65_536)


async def until_it_stalls(moved: Callable[[], int]) -> None:
    before = -1
    while before != moved():
        before = moved()
        await asyncio.sleep(0.25)
    assert 0 < before < BUFFERS_BYTES_MAX


def test_an_upstream_waits_for_a_client_that_does_not_read() -> None:
    sent = 0

    async def handler(connection: ServerConnection) -> None:
        nonlocal sent
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send(CHUNK)
                sent += len(CHUNK)

    async def main() -> None:
        async with world(handler) as w:
            socket = await client(w)
            socket.transport.pause_reading()
            await until_it_stalls(lambda: sent)
            stalled = sent
            socket.transport.resume_reading()
            for _ in range(2 * stalled // len(CHUNK)):
                assert await socket.recv() == CHUNK
            cut(socket)
            assert (await event(w)).error == "client_closed"

    run(main)


def test_a_client_waits_for_an_upstream_that_does_not_read() -> None:
    received = sent = 0
    goes_on = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        nonlocal received
        connection.transport.pause_reading()
        await goes_on.wait()
        connection.transport.resume_reading()
        async for message in connection:
            received += len(message)

    async def main() -> None:
        nonlocal sent
        async with world(handler) as w, client(w) as socket:

            async def pour() -> None:
                nonlocal sent
                while not goes_on.is_set():
                    await socket.send(CHUNK)
                    sent += len(CHUNK)

            pouring = asyncio.ensure_future(pour())
            await until_it_stalls(lambda: sent)
            goes_on.set()
            await pouring
            await socket.close()
            assert (await event(w)).error == ""
            assert received == sent

    run(main)


def test_a_client_may_not_send_faster_than_its_rate_and_loses_nothing() -> None:
    async def main() -> None:
        async with world(messages_per_s_max=100.0) as w, client(w) as socket:
            loop = asyncio.get_running_loop()
            begun_s = loop.time()
            for number in range(2):
                for _ in range(100):
                    await socket.send(str(number))
                for _ in range(100):
                    await socket.recv()
            await socket.send("last")
            assert await socket.recv() == "last"
            assert loop.time() - begun_s >= 0.9  # 201 at 100/s, of which a second's worth comes in advance

    run(main)


@pytest.mark.parametrize("ping_s", [0.0, 0.1])
def test_a_client_that_is_held_back_is_not_taken_for_a_silent_one(ping_s: float) -> None:
    async def main() -> None:
        async with world(bytes_per_s_max=20_000.0, idle_timeout_s=1.2, ping_s=ping_s) as w, client(w) as socket:
            await socket.send(bytes(40_000))  # read at once; it takes a second more than what is in advance
            assert await socket.recv() == bytes(40_000)
            await socket.send("last")
            assert await asyncio.wait_for(socket.recv(), 5.0) == "last"

    run(main)


def test_draining_tells_both_sides_that_it_goes_away() -> None:
    codes = Codes()

    async def main() -> None:
        async with world(codes) as w:
            socket = await client(w)
            draining = asyncio.ensure_future(w.gateway.drain(1.0))
            await asyncio.sleep(0.2)
            await socket.send("while draining")
            assert await socket.recv() == "while draining"
            assert await closing(socket) == 1001
            await draining
            assert codes.seen == [1001]
            assert w.event.error == ""

    run(main)


def test_a_reload_leaves_open_ones_alone_even_without_their_route() -> None:
    async def main() -> None:
        async with websockets() as (_, port), websockets() as (_, other):
            first = [route("/", auth=(), websocket=WebSocket())]
            async with gateway([service(port)], first) as w, client(w) as socket:
                for routes in ([route("/new", auth=())], [replace_idle(first[0])]):
                    await w.gateway.apply(msgspec.structs.replace(snapshot([service(other)], routes), version="fedc"))
                    await socket.send("still there")
                    assert await socket.recv() == "still there"
                await socket.close()
                assert (await event(w)).error == ""

    run(main)


def replace_idle(one: object) -> object:
    return msgspec.structs.replace(
        one, policies=msgspec.structs.replace(one.policies, websocket=WebSocket(idle_timeout_s=5.0))
    )  # type: ignore[attr-defined]


def test_nothing_is_left_of_those_that_ended_in_whichever_way() -> None:
    codes = Codes()

    async def one(w: World, number: int) -> None:
        socket = await client(w)
        await socket.send("x")
        await socket.recv()
        if number % 4 == 0:
            await socket.close()
        elif number % 4 == 1:
            cut(socket)
        elif number % 4 == 2:
            socket.transport.write(b"\xff" * 20)
            await closing(socket)
        else:
            await socket.send(bytes(5_000))
            await closing(socket)

    async def main() -> None:
        async with world(codes, message_bytes_max=1_000) as w:
            gc.collect()
            gc.disable()  # a worker's collector comes seldom: nothing may wait for it
            for _ in range(5):
                await asyncio.gather(*(one(w, number) for number in range(40)))
            await until(lambda: len(w.sink.events) == 200 and w.gateway._listening.connections == 0)
            held = w.gateway._websockets
            assert (len(held._tunnels), held._entered) == (0, 0)
            (state,) = w.gateway._table.services.values()
            assert state.inflight == 0
            await until(lambda: all(target.pool.connections == 0 for target in state.targets))
            assert len(codes.seen) == 200
            kinds = [type(one).__name__ for one in gc.get_objects()]
            for kind in ("Tunnel", "ProxiedWebSocket", "ServerTunnel", "ClientTunnel", "Exchange", "ServerConnection"):
                assert kinds.count(kind) <= 1, kind  # the last one may still be held by the loop

    try:
        run(main)
    finally:
        gc.enable()


def test_metrics_say_how_many_are_open_and_what_they_carry() -> None:
    async def main() -> None:
        async with world(idle_timeout_s=0.8) as w:

            async def page() -> dict[str, str]:
                text = (await (await w.client.request("GET", w.url("/metrics"))).read()).decode()
                return dict(line.split(" ") for line in text.splitlines() if line.startswith("foregate_websocket"))

            async with client(w) as socket:
                for _ in range(3):
                    await socket.send("x")
                    await socket.recv()
                assert (await page())["foregate_websockets_open"] == "1"
            await event(w)
            assert await page() == {
                "foregate_websockets_open": "0",
                "foregate_websocket_messages_in_total": "3",
                "foregate_websocket_messages_out_total": "3",
            }

    run(main)
