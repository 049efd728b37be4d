"""The whole gateway asked over HTTP/2: the same answers and events as over HTTP/1.1, many at a time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from tests.gateway.upstream.making import until
from tests.gateway.world import KEY, OPEN, gateway, raw_upstream, route, run, service, snapshot, statuses, upstream
from tests.http1.certificates import make
from tests.http2.asking import PING, Answer, asking, frame

from foregate.http1 import Request, Response
from foregate.http1.tls import HTTP2, client_context
from foregate.wire.snapshot import Certificate, Listener


def test_a_request_is_proxied_with_its_fields_and_leaves_an_event() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], [route("/")]) as world:
            async with asking(world.port) as client:
                key = b"x-api-key", KEY.encode()
                more = (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"te", b"trailers"), (b"accept", b"*/*")
                answer = await client.ask("/x?y=1", "POST", key, *more, body=b"hello")
                refused = await client.ask("/x")
            assert (answer.status, answer.body) == (200, b"/x?y=1")
            assert answer.headers[b"x-gateway-service"] == b"svc"
            assert (refused.status, refused.headers[b"content-type"]) == (401, b"application/problem+json")
            request = seen.requests[0]
            told = {
                name: request.header(name) for name in ("cookie", "host", "x-forwarded-host", "te", "content-length")
            }
            assert told == {
                "cookie": "a=1; b=2",
                "host": f"127.0.0.1:{port}",
                "x-forwarded-host": "a",
                "te": "trailers",
                "content-length": "5",
            }
            assert seen.bodies == [b"hello"]
            first, second = world.sink.events
            assert (first.protocol, first.status, first.path, first.request_bytes) == ("h2", 200, "/x", 5)
            assert (second.protocol, second.status, second.error) == ("h2", 401, "key_missing")

    run(main)


def test_a_connect_that_announces_content_leaves_no_upstream_waiting_for_it() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)]) as world, asking(world.port) as client:
            fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http")]
            fields += [(b":authority", b"a"), (b":path", b"/first"), (b"content-length", b"5")]
            stream = client.h2.get_next_available_stream_id()
            client.answers[stream] = Answer()
            client.h2.send_headers(stream, fields)
            client.flush()
            assert (await client.answer(stream)).status == 400
            assert (await world.client.request("GET", world.url("/second"))).status == 200
            assert [request.path for request in seen.requests] == ["/second"]

    run(main)


def test_a_hundred_requests_share_a_connection_and_one_slow_answer_holds_up_nobody() -> None:
    released = asyncio.Event()

    async def answer(request: Request) -> Response:
        if request.path == "/slow":
            await released.wait()
        return Response(200, request.path.encode())

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world, asking(world.port) as client:
            slow = client.begin("/slow")
            streams = [client.begin(f"/{number}") for number in range(100)]
            answers = [await client.answer(stream) for stream in streams]
            assert [each.body for each in answers] == [b"/%d" % number for number in range(100)]
            assert not client.answers[slow].ended
            released.set()
            assert (await client.answer(slow)).body == b"/slow"
            assert len(world.sink.events) == 101

    run(main)


def test_a_stream_that_its_client_resets_releases_the_upstream() -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        await reader.read()
        left.set()

    async def main() -> None:
        async with raw_upstream(serve) as port, gateway([service(port)]) as world, asking(world.port) as client:
            stream = client.begin()
            await asyncio.wait_for(begun.wait(), 5.0)
            client.reset(stream)
            await asyncio.wait_for(left.wait(), 5.0)
            await until(lambda: len(world.sink.events) == 1)
            assert (world.event.status, world.event.error) == (499, "client_closed")
            assert not client.closed

    run(main)


def test_bodies_and_trailers_travel_both_ways_before_either_is_complete() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert await reader.readexactly(8) == b"3\r\none\r\n"
        writer.write(b"4\r\nfirs\r\n")
        assert await reader.readexactly(8) == b"3\r\ntwo\r\n"
        assert await reader.readuntil(b"\r\n\r\n") == b"0\r\nx-sum: 7\r\n\r\n"
        writer.write(b"1\r\nt\r\n0\r\nX-Check: 9\r\n\r\n")
        await writer.drain()

    async def main() -> None:
        async with raw_upstream(serve) as port, gateway([service(port)]) as world, asking(world.port) as client:
            stream = client.begin("/", "POST", end=False)
            await asyncio.sleep(0.02)
            client.send(stream, b"one")
            await client.until(lambda: client.answers[stream].body == b"firs")
            client.send(stream, b"two")
            client.end(stream, [(b"x-sum", b"7")])
            answer = await client.answer(stream)
            assert (answer.body, answer.trailers) == (b"first", {b"x-check": b"9"})

    run(main)


def test_an_answer_that_nobody_takes_pauses_its_upstream() -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 65_536
            yield b"x" * 65_536

    async def answer(request: Request) -> Response:
        return Response(200, pieces())

    async def main() -> None:
        async with (
            upstream(answer) as (_, port),
            gateway([service(port)]) as world,
            asking(world.port, takes=False, window=10_000) as client,
        ):
            stream = client.begin()
            await client.until(lambda: len(client.answers[stream].body) == 10_000)
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 30_000_000

    run(main)


def test_an_upload_that_the_upstream_does_not_take_pauses_its_client() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await asyncio.sleep(10.0)

    async def main() -> None:
        async with raw_upstream(serve) as port, gateway([service(port)]) as world, asking(world.port) as client:
            stream, sent, still = client.begin("/", "POST", end=False), 0, 0
            while still < 20:
                window = min(16_384, client.h2.local_flow_control_window(stream))
                if window:
                    client.send(stream, b"x" * window)
                    sent, still = sent + window, 0
                else:
                    still += 1
                    await asyncio.sleep(0.01)
            assert 65_536 <= sent < 30_000_000

    run(main)


def test_a_flood_is_counted_by_its_code() -> None:
    async def main() -> None:
        async with upstream() as (_, port), gateway([service(port)]) as world, asking(world.port) as client:
            for _ in range(3_000):
                client.raw(frame(PING, 0, 0, b"01234567"))
            await client.until(lambda: client.closed)
            metrics = await (await world.client.request("GET", world.url("/metrics"))).read()
            assert b'foregate_errors_total{code="http2_abuse"} 1\n' in metrics

    run(main)


def test_grpc_is_named_in_its_event() -> None:
    async def main() -> None:
        async with upstream() as (_, port), gateway([service(port)]) as world, asking(world.port) as client:
            await client.ask("/a.B/C", "POST", (b"content-type", b"application/grpc"), body=b"\0\0\0\0\0")
            await client.ask("/a.B/C", "POST", (b"content-type", b"application/grpc-web"), body=b"\0\0\0\0\0")
            assert [event.protocol for event in world.sink.events] == ["grpc", "h2"]

    run(main)


def test_a_reload_leaves_open_streams_alone_and_rules_the_next_ones() -> None:
    released = asyncio.Event()

    async def answer(request: Request) -> Response:
        await released.wait()
        return Response(200, b"by the first table")

    async def main() -> None:
        async with (
            upstream(answer) as (_, port),
            upstream() as (_, other),
            gateway([service(port)]) as world,
            asking(world.port) as client,
        ):
            stream = client.begin("/x")
            await asyncio.sleep(0.05)
            await world.gateway.apply(snapshot([service(other)], [OPEN]))
            assert (await client.ask("/y")).body == b"/y"
            released.set()
            assert (await client.answer(stream)).body == b"by the first table"

    run(main)


def test_a_worker_that_drains_says_so_and_finishes_what_is_under_way() -> None:
    released = asyncio.Event()

    async def answer(request: Request) -> Response:
        await released.wait()
        return Response(200, b"done")

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world, asking(world.port) as client:
            stream = client.begin("/x")
            await asyncio.sleep(0.05)
            draining = asyncio.ensure_future(world.gateway.drain(5.0))
            await client.until(lambda: client.goaway == 0)
            released.set()
            assert (await client.answer(stream)).body == b"done"
            await client.until(lambda: client.closed)
            await draining

    run(main)


def test_a_tls_listener_speaks_both_unless_it_is_told_not_to(tmp_path: Path) -> None:
    pair = make(tmp_path, "a", "a.example")
    certificates = (Certificate(pair.certificate, pair.key),)

    async def main() -> None:
        async with upstream() as (_, port), gateway([service(port)]) as world:
            both, alone = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
            await world.gateway.serve(both, Listener(certificates=certificates))
            await world.gateway.serve(alone, Listener(certificates=certificates, http2=False))
            offers = client_context(verify=False, alpn=(HTTP2, "http/1.1"))
            async with asking(both.getsockname()[1], tls=offers) as client:
                assert (await client.ask("/over-tls")).body == b"/over-tls"
            assert world.event.protocol == "h2"
            reader, writer = await asyncio.open_connection("127.0.0.1", alone.getsockname()[1], ssl=offers)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert statuses(await reader.readuntil(b"\r\n\r\n")) == [200]
            writer.close()
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", both.getsockname()[1], ssl=client_context(verify=False)
            )
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert statuses(await reader.readuntil(b"\r\n\r\n")) == [200]
            writer.close()

    run(main)
