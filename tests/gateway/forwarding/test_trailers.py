"""Trailer fields travel both ways, and answers that come early are passed on."""

import asyncio

from tests.gateway.world import gateway, raw_upstream, run, service, talk


def test_trailers_of_the_answer_reach_the_client() -> None:
    for pause_s in (0.0, 0.05):

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, pause_s: float = pause_s
        ) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
            await asyncio.sleep(pause_s)
            writer.write(b"0\r\nX-Checksum: abc\r\n\r\n")
            await reader.read()

        async def main(serve=serve) -> None:  # type: ignore[no-untyped-def]
            async with raw_upstream(serve) as port, gateway([service(port)]) as world:
                raw = await talk(world.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert raw.endswith(b"2\r\nok\r\n0\r\nx-checksum: abc\r\n\r\n")

        run(main)


def test_trailers_of_the_request_reach_the_upstream() -> None:
    for pause_s in (0.0, 0.1):
        received = bytearray()

        async def serve(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            number: int,
            received: bytearray = received,
        ) -> None:
            received += await reader.readuntil(b"abc\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.read()

        async def main(serve=serve, pause_s: float = pause_s) -> None:  # type: ignore[no-untyped-def]
            async with raw_upstream(serve) as port, gateway([service(port)]) as world:
                reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
                writer.write(
                    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n"
                )
                await asyncio.sleep(pause_s)
                writer.write(b"0\r\nX-Checksum: abc\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
                writer.close()

        run(main)
        assert bytes(received).endswith(b"2\r\nok\r\n0\r\nx-checksum: abc\r\n\r\n")


def test_an_answer_that_comes_before_the_body_has_ended_is_passed_on() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno")
        await reader.read()

    async def main() -> None:
        async with raw_upstream(refuse) as port, gateway([service(port)]) as world:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbegun")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert head.startswith(b"HTTP/1.1 413")
            assert b"connection: close" in head
            assert await reader.readexactly(2) == b"no"
            writer.close()

    run(main)
