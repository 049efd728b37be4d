"""A listener behind a load balancer that speaks the PROXY protocol: the client is whom the header names, everywhere."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from tests.gateway.world import World, gateway, route, run, service, upstream
from tests.http2.asking import asking

from foregate.http1 import Request, Response
from foregate.wire.policies import IpFilter
from foregate.wire.snapshot import Listener

HEADER = b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n"


async def forwarded_for(request: Request) -> Response:
    return Response(200, (request.header("x-forwarded-for") or "").encode())


@contextlib.asynccontextmanager
async def behind(trusted: str) -> AsyncIterator[tuple[World, int]]:
    routes = [route("/", auth=()), route("/far", auth=(), ip_filter=IpFilter(deny=("192.0.2.0/24",)))]
    async with (
        upstream(forwarded_for) as (_, port),
        gateway([service(port)], routes, trusted_proxies=(trusted,)) as world,
    ):
        sock = socket.create_server(("127.0.0.1", 0))
        await world.gateway.serve(sock, Listener(proxy_protocol=True))
        yield world, sock.getsockname()[1]


async def ask(port: int, head: bytes, path: bytes = b"/") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_limits_filters_upstreams_and_events_mean_the_client_that_is_named() -> None:
    async def main() -> None:
        async with behind("127.0.0.0/8") as (world, port):
            assert b"192.0.2.7" in await ask(port, HEADER)
            assert (await ask(port, HEADER, b"/far")).startswith(b"HTTP/1.1 403")
            assert (await ask(port, HEADER.replace(b"192.0.2.7", b"198.51.100.1"), b"/far")).startswith(b"HTTP/1.1 200")
            assert [event.client for event in world.sink.events] == [*["192.0.2.7"] * 2, "198.51.100.1"]

    run(main)


def test_who_is_not_trusted_is_not_heard_and_who_does_not_introduce_itself_neither() -> None:
    async def main() -> None:
        async with behind("10.0.0.0/8") as (world, port):
            assert await ask(port, HEADER) == b""
        async with behind("127.0.0.0/8") as (world, port):
            assert await ask(port, b"") == b""
            page = await (await world.client.request("GET", world.url("/metrics"))).read()
            assert b'code="proxy_header_invalid"' in page
            assert not world.sink.events

    run(main)


def test_http2_may_follow_the_header() -> None:
    async def main() -> None:
        async with behind("127.0.0.0/8") as (world, port):
            front = await asyncio.start_server(lambda reader, writer: relay(reader, writer, port), "127.0.0.1", 0)
            async with asking(front.sockets[0].getsockname()[1]) as client:
                answer = await client.ask("/")
                assert (answer.status, answer.body) == (200, b"192.0.2.7")
            assert world.event.client == "192.0.2.7"
            front.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        """A load balancer of one connection."""
        up, down = await asyncio.open_connection("127.0.0.1", port)
        down.write(HEADER)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65_536):
                    sink.write(data)
            sink.close()

        await asyncio.gather(copy(reader, down), copy(up, writer))

    run(main)
