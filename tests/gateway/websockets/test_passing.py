"""What two peers of an independent library say to one another arrives as it was said."""

import asyncio

import pytest
from tests.gateway.websockets.rig import ServerConnection, client, event, world
from tests.gateway.world import run
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK


def test_messages_of_all_sizes_come_back_as_they_went() -> None:
    sizes = (0, 1, 125, 126, 65_535, 65_536, 1_000_000, 10_000_000)

    async def main() -> None:
        async with world() as w, client(w) as socket:
            for size in sizes:
                await socket.send(bytes(size))
                assert await socket.recv() == bytes(size)
            await socket.send("grüß dich")
            assert await socket.recv() == "grüß dich"
            await socket.close()
            said = await event(w)
            assert (said.status, said.protocol, said.error) == (101, "websocket", "")
            assert said.request_bytes > sum(sizes)
            assert said.response_bytes > sum(sizes)
            assert "websocket:1000" in said.policies

    run(main)


def test_many_small_messages_keep_their_order() -> None:
    async def main() -> None:
        async with world() as w, client(w) as socket:

            async def send() -> None:
                for number in range(5_000):
                    await socket.send(str(number))

            sending = asyncio.ensure_future(send())
            assert [await socket.recv() for _ in range(5_000)] == [str(number) for number in range(5_000)]
            await sending

    run(main)


def test_fragments_stay_fragments() -> None:
    async def in_parts(connection: ServerConnection) -> None:
        parts = [part async for part in connection.recv_streaming()]
        await connection.send(parts)

    async def main() -> None:
        async with world(in_parts) as w, client(w) as socket:
            await socket.send(["one", "two", "three"])
            received = [part async for part in socket.recv_streaming()]
            assert [part for part in received if part] == ["one", "two", "three"]  # the library ends with an empty one

    run(main)


def test_pings_and_pongs_go_from_end_to_end() -> None:
    async def main() -> None:
        async with world() as w, client(w) as socket:
            for payload in (b"", b"x" * 125):
                await asyncio.wait_for(await socket.ping(payload), 5.0)

    run(main)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_close_codes_pass_both_ways(code: int) -> None:
    seen: list[int | None] = []

    async def handler(connection: ServerConnection) -> None:
        first = await connection.recv()
        if first == "you":
            await connection.close(code, "enough")
        else:
            with pytest.raises((ConnectionClosedOK, ConnectionClosedError)):
                await connection.recv()
            seen.append(connection.close_code)

    async def main() -> None:
        async with world(handler) as w:
            async with client(w) as socket:
                await socket.send("you")
                with pytest.raises((ConnectionClosedOK, ConnectionClosedError)):
                    await socket.recv()
                assert (socket.close_code, socket.close_reason) == (code, "enough")
            async with client(w) as socket:
                await socket.send("me")
                await socket.close(code)
            assert seen == [code]
            assert [one.error for one in w.sink.events] == ["", ""]

    run(main)


def test_compression_that_both_agree_on_passes_untouched() -> None:
    async def main() -> None:
        async with world(server={"compression": "deflate"}) as w:
            async with client(w, compression="deflate") as socket:
                assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
                for text in ("a" * 100_000, "b"):
                    await socket.send(text)
                    assert await socket.recv() == text
            assert (await event(w)).request_bytes < 2_000

    run(main)


def test_subprotocols_are_negotiated_through() -> None:
    async def main() -> None:
        async with world(server={"subprotocols": ["v2", "v1"]}) as w, client(w, subprotocols=["v1", "v2"]) as socket:
            assert socket.subprotocol in ("v1", "v2")

    run(main)


def test_a_message_that_comes_with_the_handshake_is_not_lost() -> None:
    """RFC 6455 lets a server speak first, in the same packet as its 101; an eager client may do it too."""

    async def handler(connection: ServerConnection) -> None:
        await connection.send("hello")
        await connection.send(await connection.recv())

    async def main() -> None:
        async with world(handler) as w:
            reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
            head = (
                b"GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
                b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
            )
            writer.write(head + b"\x82\x83\0\0\0\0abc")
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
            assert await reader.readexactly(12) == b"\x81\x05hello\x82\x03abc"
            writer.close()

    run(main)
