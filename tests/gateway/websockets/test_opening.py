"""An opening handshake is a request like any other until an upstream answers 101; without its policy it is a GET."""

import asyncio

import msgspec
import pytest
from tests.gateway.websockets.rig import client, event, until, websockets, world
from tests.gateway.world import KEY, gateway, raw_upstream, route, run, service, statuses, talk, upstream
from tests.http2.upstream import h2_upstream
from websockets.exceptions import InvalidStatus

from foregate.http1 import Request, Response
from foregate.websocket import accept_of
from foregate.wire.cache import Cache, CacheStorage
from foregate.wire.mirror import Mirror
from foregate.wire.policies import Bulkhead, CircuitBreaker, IpFilter, Rate, RateLimit
from foregate.wire.websocket import WebSocket

HEAD = (
    b"GET /chat HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n%s\r\n"
)
TAKING = route("/", auth=(), websocket=WebSocket())
CLOSING = b"GET /after HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


async def refused(opening: object) -> int:
    with pytest.raises(InvalidStatus) as caught:
        await opening  # type: ignore[misc]
    return caught.value.response.status_code


def test_without_the_policy_the_upstream_sees_a_plain_get_and_the_next_request_is_one() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)]) as w:
            answer = await talk(w.port, HEAD % b"" + CLOSING)
            assert statuses(answer) == [200, 200]
            first = seen.requests[0]
            assert first.header("upgrade") is None
            assert first.header("connection") is None
            assert [request.path for request in seen.requests] == ["/chat", "/after"]

    run(main)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET", b"POST"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"version: 13", b"version: 8"),
        (b"key: dGhlIHNhbXBsZSBub25jZQ==", b"key: dGhlIHNhbXBsZSBub25jZQ"),
        (b"key: dGhlIHNhbXBsZSBub25jZQ==", b"key: c2hvcnQ="),
        (b"key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-key: x\r\n"),
        (b"upgrade: websocket", b"upgrade: h2c"),
        (b"connection: Upgrade\r\n", b""),
        (b"host: x\r\n", b"host: x\r\ncontent-length: 3\r\n"),
    ],
)
def test_what_is_no_valid_handshake_is_an_ordinary_request(old: bytes, new: bytes) -> None:
    """With a body that looks like a request, too: it stays the body."""
    data = (HEAD % b"").replace(old, new)
    assert data != HEAD % b""
    if b"content-length" in new:
        data += b"GET"

    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], [TAKING]) as w:
            answer = await talk(w.port, data + CLOSING)
            expected = [200] if b"HTTP/1.0" in new else [200, 200]
            assert statuses(answer) == expected
            assert all(request.header("upgrade") is None for request in seen.requests)

    run(main)


def test_an_answer_other_than_101_is_passed_on_and_the_next_request_is_served() -> None:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(0.05)  # so that what follows has come before
        return Response(200 if request.path == "/after" else 418, b"short and stout")

    async def main() -> None:
        async with upstream(answer) as (seen, port), gateway([service(port)], [TAKING]) as w:
            said = await talk(w.port, HEAD % b"" + CLOSING)
            assert statuses(said) == [418, 200]
            assert b"short and stout" in said
            assert seen.requests[0].header("upgrade") == "websocket"
            assert [(one.status, one.protocol) for one in w.sink.events] == [(418, "http/1.1"), (200, "http/1.1")]

    run(main)


def test_policies_refuse_it_with_http() -> None:
    async def main() -> None:
        async with websockets() as (_, port):
            limit = RateLimit("one", by="ip", rate=Rate(1.0, 3_600.0), algorithm="fixed_window")
            routes = [
                route("/key", websocket=WebSocket()),
                route("/limited", auth=(), websocket=WebSocket(), rate_limits=(limit,)),
                route("/filtered", auth=(), websocket=WebSocket(), ip_filter=IpFilter(deny=("127.0.0.1",))),
            ]
            async with gateway([service(port)], routes) as w:
                assert await refused(client(w, "/key")) == 401
                async with client(w, "/key", additional_headers={"x-api-key": KEY}) as socket:
                    await socket.send("let in")
                    assert await socket.recv() == "let in"
                async with client(w, "/limited"):
                    assert await refused(client(w, "/limited")) == 429
                assert await refused(client(w, "/filtered")) == 403
                assert await refused(client(w, "/nowhere")) == 404

    run(main)


@pytest.mark.parametrize(
    ("named", "origin", "taken"),
    [
        ((), None, True),
        ((), "http://127.0.0.1", False),  # another port
        ((), "https://evil.example", False),
        ((), "null", False),
        (("https://app.example",), "https://app.example", True),
        (("https://app.example",), "HTTPS://APP.EXAMPLE", True),
        (("https://app.example",), "https://app.example.evil", False),
        (("https://*.example",), "https://a.b.example", True),
        (("https://*.example",), "https://example", False),
        (("*",), "https://anyone.example", True),
    ],
)
def test_pages_of_other_origins_are_refused(named: tuple[str, ...], origin: str | None, taken: bool) -> None:
    async def main() -> None:
        async with world(origins=named) as w:
            if taken:
                async with client(w, origin=origin):
                    pass
            else:
                assert await refused(client(w, origin=origin)) == 403
            async with client(w, origin=None if named else f"http://127.0.0.1:{w.port}"):
                pass

    run(main)


def test_only_named_subprotocols_are_offered() -> None:
    async def main() -> None:
        async with world(server={"subprotocols": ["old", "new"]}, subprotocols=("new",)) as w:
            async with client(w, subprotocols=["old", "new"]) as socket:
                assert socket.subprotocol == "new"
            assert await refused(client(w, subprotocols=["old"])) == 403

    run(main)


@pytest.mark.parametrize(
    "lines",
    [
        b"sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n",
        b"",
        b"sec-websocket-accept: %s\r\nsec-websocket-extensions: x-own\r\n",
        b"sec-websocket-accept: %s\r\nsec-websocket-extensions: permessage-deflate\r\n",  # not offered
        b"sec-websocket-accept: %s\r\nsec-websocket-protocol: other\r\n",
    ],
)
def test_an_upstream_that_agrees_to_something_else_is_a_502(lines: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(line for line in head.split(b"\r\n") if line.startswith(b"sec-websocket-key: "))[19:]
        said = lines % accept_of(key) if b"%s" in lines else lines
        writer.write(b"HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: websocket\r\n" + said + b"\r\n")
        await reader.read()

    async def main() -> None:
        async with raw_upstream(serve) as port, gateway([service(port)], [TAKING]) as w:
            assert await refused(client(w)) == 502
            assert w.event.error == "upstream_malformed"
            assert w.log[0][0] == "websocket_handshake_malformed"

    run(main)


def test_an_upstream_that_is_away_opens_the_circuit_as_with_any_request() -> None:
    async def main() -> None:
        async with websockets() as (server, port):
            server.close()
            await server.wait_closed()
            breaker = CircuitBreaker(failures=2)
            routes = [TAKING]
            async with gateway([service(port, breaker=breaker)], routes) as w:
                assert [await refused(client(w)) for _ in range(3)] == [502, 502, 503]

    run(main)


def test_open_ones_count_in_bounds_until_they_end() -> None:
    async def main() -> None:
        async with websockets() as (_, port):
            routes = [
                route("/few", auth=(), websocket=WebSocket(connections_max=2)),
                route("/", auth=(), websocket=WebSocket()),
            ]
            bounded = service(port, bulkhead=Bulkhead(3, queue=0))
            async with gateway([bounded], routes) as w:
                one, two = await client(w, "/few"), await client(w, "/few")
                assert await refused(client(w, "/few")) == 503
                three = await client(w)
                assert await refused(client(w)) == 503
                assert {one.error for one in w.sink.events} == {"overloaded", "bulkhead_full"}
                for socket in (one, two, three):
                    await socket.close()
                await until(lambda: len(w.sink.events) == 5)
                async with client(w, "/few") as again:
                    await again.send("x")
                    assert await again.recv() == "x"

    run(main)


def test_the_upstream_sees_what_is_forwarded_with_any_request_and_a_key_of_our_own() -> None:
    async def main() -> None:
        seen: dict[str, str] = {}

        def remember(_: object, request: object) -> None:
            seen.update({name.lower(): value for name, value in request.headers.raw_items()})  # type: ignore[attr-defined]

        async with (
            world(server={"process_request": remember}) as w,
            client(w, "/a?b=c", compression="deflate") as socket,
        ):
            assert seen["x-forwarded-for"] == "127.0.0.1"
            assert seen["sec-websocket-key"] != socket.request.headers["Sec-WebSocket-Key"]
            assert seen["sec-websocket-extensions"].startswith("permessage-deflate")
            assert socket.response.headers["x-request-id"] == seen["x-request-id"]

    run(main)


def test_a_client_that_leaves_during_the_handshake_ends_it() -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.read()
        left.set()

    async def main() -> None:
        async with raw_upstream(serve) as port, gateway([service(port)], [TAKING]) as w:
            _, writer = await asyncio.open_connection("127.0.0.1", w.port)
            writer.write(HEAD % b"")
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.wait_for(left.wait(), 5.0)
            assert (await event(w)).error == "client_closed"

    run(main)


def test_policies_that_answer_gets_by_themselves_let_it_pass() -> None:
    async def main() -> None:
        async with upstream() as (seen, other), websockets() as (_, port):
            policies = {"cache": Cache(share="public"), "mirror": Mirror(service="other")}
            for kind, settings in policies.items():
                one = route("/", auth=(), websocket=WebSocket(), **{kind: settings})
                services = [service(port), service(other, name="other")]
                async with gateway(services, [one], cache=CacheStorage()) as w, client(w) as socket:
                    await socket.send("through")
                    assert await socket.recv() == "through"
            assert not seen.requests

    run(main)


def test_a_service_of_http2_alone_cannot_take_them_and_says_so() -> None:
    async def main() -> None:
        async with h2_upstream() as (_, port):
            only_h2 = msgspec.structs.replace(service(port), protocol="h2")
            async with gateway([only_h2], [TAKING]) as w:
                assert await refused(client(w)) == 502
                assert w.event.error == "websocket_unsupported"
                assert (await w.client.request("GET", w.url("/x"))).status == 200

    run(main)
