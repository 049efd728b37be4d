"""A client may open WebSockets on a stream of HTTP/2 (RFC 8441), beside its other requests."""

from tests.gateway.websockets.rig import ServerConnection, event, until, websockets, world
from tests.gateway.world import gateway, route, run, service, upstream
from tests.http2.asking import asking
from tests.websocket.making import CLOSE, TEXT, frame
from websockets.exceptions import ConnectionClosed

from foregate.wire.cache import Cache, CacheStorage
from foregate.wire.websocket import WebSocket

MASK = b"abcd"
OPENING = (
    (b":protocol", b"websocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-protocol", b"chat"),
    (b"sec-websocket-extensions", b"permessage-deflate"),
)


def test_two_on_one_connection_echo_and_close() -> None:
    async def main() -> None:
        async with world(server={"subprotocols": ["chat"]}) as w, asking(w.port) as client:
            streams = [client.begin("/", "CONNECT", *OPENING, end=False) for _ in range(2)]
            for stream in streams:
                await client.until(lambda stream=stream: client.answers[stream].status == 200)
                headers = client.answers[stream].headers
                assert headers[b"sec-websocket-protocol"] == b"chat"
                assert b"sec-websocket-accept" not in headers
                assert b"upgrade" not in headers
            for stream in streams:
                client.send(stream, frame(TEXT, b"hello %d" % stream, mask=MASK))
            for stream in streams:
                want = frame(TEXT, b"hello %d" % stream)
                await client.until(lambda stream=stream, want=want: client.answers[stream].body == want)
                client.send(stream, frame(CLOSE, b"\x03\xe8", mask=MASK))
                assert (await client.answer(stream)).body == want + frame(CLOSE, b"\x03\xe8")
            await until(lambda: len(w.sink.events) == 2)
            assert {(one.status, one.protocol, one.error) for one in w.sink.events} == {(101, "websocket", "")}

    run(main)


def test_a_stream_that_is_reset_is_a_client_that_left() -> None:
    codes: list[int] = []

    async def handler(connection: ServerConnection) -> None:
        try:
            await connection.recv()
        except ConnectionClosed as closed:
            codes.append(closed.rcvd.code if closed.rcvd is not None else 1006)

    async def main() -> None:
        async with world(handler) as w, asking(w.port) as client:
            stream = client.begin("/", "CONNECT", *OPENING[:2], end=False)
            await client.until(lambda: client.answers[stream].status == 200)
            client.reset(stream)
            assert (await event(w)).error == "client_closed"
            await until(lambda: codes == [1001])

    run(main)


def test_a_route_that_caches_opens_them_too() -> None:
    async def main() -> None:
        routes = [route("/", auth=(), websocket=WebSocket(), cache=Cache())]
        async with (
            websockets() as (_, port),
            gateway([service(port)], routes, cache=CacheStorage()) as made,
            asking(made.port) as client,
        ):
            stream = client.begin("/", "CONNECT", *OPENING[:2], end=False)
            await client.until(lambda: client.answers[stream].status == 200)
            client.send(stream, frame(TEXT, b"hello", mask=MASK))
            await client.until(lambda: client.answers[stream].body == frame(TEXT, b"hello"))

    run(main)


def test_a_route_that_takes_none_says_so_instead_of_a_success_that_would_open_one() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)]) as made, asking(made.port) as client:
            stream = client.begin("/", "CONNECT", *OPENING, end=False)
            assert (await client.answer(stream)).status == 405
            assert (seen.requests, made.event.error) == ([], "method_not_allowed")

    run(main)
