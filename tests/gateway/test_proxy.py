"""What goes through: heads, bodies, ids, paths, one event each."""

import json

import pytest
from tests.gateway.world import KEY, OPEN, gateway, route, run, service, statuses, talk, target, upstream

from foregate.http1 import Request, Response
from foregate.wire.match import Rule
from foregate.wire.policies import Bounds, Cors, Rate, RateLimit


def test_a_request_goes_through_with_its_ids_and_leaves_one_event() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], region="eu-west-1", cloud="aws") as world:
            trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            headers = [(b"x-request-id", b"abc-123"), (b"traceparent", trace.encode()), (b"tracestate", b"v=1")]
            answer = await world.client.request("POST", world.url("/a?b=c"), headers=headers, body=b"hello")
            assert (answer.status, await answer.read()) == (200, b"/a?b=c")
            assert answer.header("x-request-id") == "abc-123"
            assert answer.header("x-gateway-service") == "svc"
            assert float(answer.header("x-gateway-response-time") or "-1") > 0
            request = seen.requests[0]
            assert seen.bodies == [b"hello"]
            assert request.header("host") == f"127.0.0.1:{port}"
            assert request.header("x-forwarded-for") == "127.0.0.1"
            assert request.header("x-forwarded-proto") == "http"
            assert request.header("x-forwarded-host") == f"127.0.0.1:{world.port}"
            assert request.header("x-request-id") == "abc-123"
            assert request.header("tracestate") == "v=1"
            event = world.event
            parent = (request.header("traceparent") or "").split("-")
            assert parent == ["00", "0af7651916cd43dd8448eb211c80319c", event.span_id, "01"]
            assert event.span_id != "b7ad6b7169203331"
            assert event.parent_span_id == "b7ad6b7169203331"
            assert (event.region, event.cloud, event.instance) == ("eu-west-1", "aws", "host-of-the-test")
            assert (event.org, event.environment, event.service, event.route) == ("default", "production", "svc", "/")
            assert (event.method, event.status, event.error, event.attempts) == ("POST", 200, "", 1)
            assert (event.request_bytes, event.response_bytes) == (5, 6)
            assert (event.request_id, event.trace_id) == ("abc-123", parent[1])
            assert (event.limit, event.breaker, event.cache) == ("none", "closed", "none")
            assert event.target == f"http://127.0.0.1:{port}"
            assert event.inflight == 1
            assert 0 < event.upstream_ms <= event.first_byte_ms <= event.latency_ms
            assert 0 < event.waited_ms < event.upstream_ms  # for its connection
            await (await world.client.request("GET", world.url())).read()
            assert world.sink.events[1].waited_ms == 0.0  # there is one

    run(main)


def test_a_request_without_ids_is_given_some() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)]) as world:
            bad = [(b"x-request-id", b"bad id\xff"), (b"traceparent", b"00-junk"), (b"tracestate", b"v=1")]
            answer = await world.client.request("GET", world.url(), headers=bad)
            assert len(answer.header("x-request-id") or "") == 32
            assert seen.requests[0].header("x-request-id") == answer.header("x-request-id") == world.event.request_id
            assert (seen.requests[0].header("traceparent") or "").startswith(f"00-{world.event.trace_id}-")
            assert seen.requests[0].header("tracestate") is None
            await answer.read()

    run(main)


def test_hop_by_hop_fields_stay_on_their_hop_in_both_directions() -> None:
    async def answer(request: Request) -> Response:
        return Response(
            200, b"", [(b"connection", b"x-mine"), (b"x-mine", b"1"), (b"x-kept", b"1"), (b"upgrade", b"h2")]
        )

    async def main() -> None:
        async with upstream(answer) as (seen, port), gateway([service(port)]) as world:
            data = (
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Drop\r\nX-Drop: 1\r\nKeep-Alive: 5\r\n"
                b"TE: gzip\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\nX-Kept: 1\r\nX-Api-Key: secret\r\n\r\n"
            )
            raw = await talk(world.port, data)
            request = seen.requests[0]
            for name in ("x-drop", "keep-alive", "te", "proxy-authorization", "upgrade", "connection", "x-api-key"):
                assert request.header(name) is None, name
            assert request.header("x-kept") == "1"
            assert b"x-kept: 1" in raw
            assert b"x-mine" not in raw
            assert b"upgrade" not in raw

    run(main)


FORWARDED = [
    (b"x-forwarded-for", b"1.2.3.4"),
    (b"x-forwarded-for", b"5.6.7.8"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"shop.example"),
]


@pytest.mark.parametrize(
    ("trusted", "hops", "proto", "host"),
    [
        (("127.0.0.0/8",), "1.2.3.4, 5.6.7.8, 127.0.0.1", "https", "shop.example"),
        ((), "127.0.0.1", "http", "127.0.0.1"),
    ],
)
def test_what_a_proxy_before_us_says_counts_when_it_is_trusted(
    trusted: tuple[str, ...], hops: str, proto: str, host: str
) -> None:
    limit = RateLimit(rate=Rate(1, 1_000), burst=1.0, by="ip")

    async def main() -> None:
        routes = [route(auth=(), rate_limits=(limit,))]
        async with upstream() as (seen, port), gateway([service(port)], routes, trusted_proxies=trusted) as world:
            await (await world.client.request("GET", world.url(), headers=FORWARDED)).read()
            request = seen.requests[0]
            assert request.header("x-forwarded-for") == hops
            assert request.header("x-forwarded-proto") == proto
            assert (request.header("x-forwarded-host") or "").partition(":")[0] == host
            other = [(b"x-forwarded-for", b"9.9.9.9")]  # another client, if we believe it
            again = await world.client.request("GET", world.url(), headers=other)
            await again.read()
            assert again.status == (200 if trusted else 429)

    run(main)


@pytest.mark.parametrize(
    ("host", "seen_host"), [(None, "127.0.0.1:{port}"), ("", "shop.example"), ("in.example", "in.example")]
)
def test_the_upstream_sees_the_host_that_its_route_says(host: str | None, seen_host: str) -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], [route(auth=(), host=host)]) as world:
            await talk(world.port, b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
            assert seen.requests[0].header("host") == seen_host.format(port=port)

    run(main)


def test_a_preflight_is_answered_where_its_method_goes_and_no_other_options_gets_through() -> None:
    asks = b"OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\nConnection: close\r\n"
    preflight = asks + b"Access-Control-Request-Method: PUT\r\n\r\n"

    async def main() -> None:
        rule = Rule("/", methods=("PUT",))
        cors = Cors(origins=("https://shop.example",))
        async with upstream() as (seen, port), gateway([service(port)], [route(rule=rule, cors=cors)]) as world:
            assert b"access-control-allow-methods" in await talk(world.port, preflight)
            assert statuses(await talk(world.port, asks + b"\r\n")) == [405]
        async with upstream() as (seen, port), gateway([service(port)], [route(rule=rule, auth=())]) as world:
            assert statuses(await talk(world.port, preflight)) == [405]
            assert seen.requests == []

    run(main)


def test_a_head_request_goes_where_get_would_and_a_foreign_method_learns_which_are_taken() -> None:
    async def main() -> None:
        routes = [route(rule=Rule("/", methods=("GET",)), auth=())]
        async with upstream() as (_, port), gateway([service(port)], routes) as world:
            assert (await world.client.request("HEAD", world.url())).status == 200
            answer = await world.client.request("POST", world.url())
            assert (answer.status, answer.header("allow")) == (405, "GET, HEAD")

    run(main)


def test_head_does_not_slip_past_a_closed_route_for_get_to_an_open_one_for_all() -> None:
    async def main() -> None:
        routes = [OPEN, route("/admin", rule=Rule("/admin", methods=("GET",)))]
        async with upstream() as (seen, port), gateway([service(port)], routes) as world:
            assert (await world.client.request("HEAD", world.url("/admin"))).status == 401
            assert seen.requests == []

    run(main)


@pytest.mark.parametrize(
    ("path", "strip", "prefix", "there"),
    [
        ("/ai/x?q=1", True, "", "/x?q=1"),
        ("/ai/x?q=1", False, "", "/ai/x?q=1"),
        ("/ai", True, "", "/"),
        ("/ai?q", True, "", "/?q"),
        ("/ai/", True, "", "/"),
        ("/ai/x", True, "/base", "/base/x"),
        ("/%61i/x%2Fy", True, "", "/x%2Fy"),
    ],
)
def test_the_path_is_stripped_and_prefixed(path: str, strip: bool, prefix: str, there: str) -> None:
    async def main() -> None:
        async with upstream() as (_, port):
            settings = service(targets=[target(port, prefix)])
            async with gateway([settings], [route("/ai", strip=strip, auth=())]) as world:
                assert await (await world.client.request("GET", world.url(path))).read() == there.encode()
                assert world.event.route == "/ai"

    run(main)


@pytest.mark.parametrize("path", ["/open/../secret", "/open/%2e%2e/secret", "/open%2F..%2Fsecret", "/./secret"])
def test_a_path_that_climbs_is_refused_and_reaches_nobody(path: str) -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)]) as world:
            answer = await world.client.request("GET", world.url(path))
            assert answer.status == 400
            await answer.read()
            assert seen.requests == []

    run(main)


@pytest.mark.parametrize(
    "path", ["/open/secret", "/open//secret", "/open/%73ecret", "/open%2Fsecret", "//open/secret/x"]
)
def test_no_spelling_of_a_path_slips_past_the_key_of_its_route(path: str) -> None:
    async def main() -> None:
        routes = [route("/open", auth=()), route("/open/secret"), OPEN]
        async with upstream() as (seen, port), gateway([service(port)], routes) as world:
            raw = await talk(world.port, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            assert statuses(raw) == [401]
            assert seen.requests == []

    run(main)


def test_the_api_key_is_asked_for_checked_and_not_passed_on() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], [route("/")]) as world:
            codes = []
            for headers in (
                [],
                [(b"x-api-key", b"wrong")],
                [(b"x-api-key", b"\xff" * 300)],
                [(b"x-api-key", KEY.encode())],
            ):
                answer = await world.client.request("GET", world.url(), headers=headers)
                body = await answer.read()
                codes.append((answer.status, json.loads(body)["code"] if answer.status == 401 else ""))
            assert codes == [(401, "key_missing"), (401, "key_invalid"), (401, "key_invalid"), (200, "")]
            assert [request.header("x-api-key") for request in seen.requests] == [None]
            assert [event.key_id for event in world.sink.events] == ["", "", "", "key_demo"]
            assert [event.error for event in world.sink.events] == ["key_missing", "key_invalid", "key_invalid", ""]
            assert KEY not in repr(world.sink.events)

    run(main)


def test_no_route_is_404_with_an_event_of_no_service() -> None:
    async def main() -> None:
        async with gateway([service(1)], [route("/ai")]) as world:
            answer = await world.client.request("GET", world.url("/aix"))
            problem = json.loads(await answer.read())
            assert (answer.status, problem["code"]) == (404, "route_not_found")
            assert problem["request_id"] == answer.header("x-request-id") == world.event.request_id
            assert (world.event.service, world.event.route, world.event.status) == ("", "", 404)

    run(main)


def test_head_204_and_304_keep_their_framing() -> None:
    async def answer(request: Request) -> Response:
        return Response(int(request.path[1:]), b"x" * (request.path == "/200"), [(b"etag", b'"1"')])

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world:
            for method, path in (("HEAD", "/200"), ("GET", "/204"), ("GET", "/304"), ("GET", "/200")):
                response = await world.client.request(method, world.url(path))
                assert response.status == int(path[1:])
                assert await response.read() == (b"x" if (method, path) == ("GET", "/200") else b"")
            assert len(world.sink.events) == 4

    run(main)


def test_a_body_beyond_the_services_bound_is_413_by_length_and_by_count() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port, bounds=Bounds(body_bytes_max=10))]) as world:
            length = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world"
            chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n"
            assert statuses(await talk(world.port, length)) == [413]
            assert statuses(await talk(world.port, chunked)) == [413]
            assert seen.bodies == []
            assert [event.status for event in world.sink.events] == [413, 413]

    run(main)


def test_pipelined_requests_are_answered_in_order() -> None:
    async def main() -> None:
        async with upstream() as (_, port), gateway([service(port)]) as world:
            requests = b"".join(b"GET /n%02d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(50))
            raw = await talk(world.port, requests + b"GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            places = [raw.index(b"\r\n\r\n/n%02d" % number) for number in range(50)]
            assert places == sorted(places)
            assert raw.endswith(b"/end")

    run(main)
