"""What a request meets that no route takes."""

from tests.gateway.world import gateway, route, run, service, statuses, talk, upstream

from foregate.wire.match import Rule
from foregate.wire.policies import Bounds, IpFilter, Policies, Rate, RateLimit

ROUTES = [route(rule=Rule("/a", methods=("GET",)), name="a", auth=())]


def asking(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()


def limit(by: str) -> RateLimit:
    return RateLimit(name=by.replace(":", "-"), by=by, rate=Rate(3.0, 1_000.0), burst=3.0)


def test_an_address_that_may_not_come_in_learns_nothing_about_routes() -> None:
    async def main() -> None:
        closed = Policies(ip_filter=IpFilter(deny=("127.0.0.0/8",)))
        async with gateway([service(1)], ROUTES, policies=closed) as world:
            for request in (asking("/nowhere"), asking("/a", "POST"), asking("/a/../b")):
                answer = await talk(world.port, request)
                assert statuses(answer) == [403], request
                assert b"allow:" not in answer
            assert {event.policies for event in world.sink.events} == {"ip_filter:refused"}

    run(main)


def test_limits_by_ip_count_what_no_route_takes_together_with_what_one_does() -> None:
    async def main() -> None:
        async with (
            upstream() as (_, port),
            gateway([service(port)], ROUTES, policies=Policies(rate_limits=(limit("ip"),))) as world,
        ):
            asked = [asking("/nowhere"), asking("/a", "POST"), asking("/a"), asking("/nowhere"), asking("/a")]
            answers = [await talk(world.port, request) for request in asked]
            assert [statuses(answer) for answer in answers] == [[404], [405], [200], [429], [429]]
            assert b"ratelimit: " in answers[0]
            assert b"retry-after: " in answers[3]
            assert [event.limit for event in world.sink.events] == ["none", "none", "allowed", "refused", "refused"]
            assert world.sink.events[0].policies == "rate_limits:passed route:refused"

    run(main)


def test_limits_by_anything_else_are_for_routes() -> None:
    async def main() -> None:
        limits = tuple(limit(by) for by in ("all", "key", "org", "plan", "route", "service", "header:host"))
        async with (
            upstream() as (_, port),
            gateway([service(port)], ROUTES, policies=Policies(rate_limits=limits)) as world,
        ):
            for _ in range(5):
                answer = await talk(world.port, asking("/nowhere"))
                assert (statuses(answer), b"ratelimit" in answer) == ([404], False)
            assert statuses(await talk(world.port, asking("/a"))) == [200]

    run(main)


def test_bounds_hold_and_what_lies_within_them_is_told_why_it_goes_nowhere() -> None:
    async def main() -> None:
        async with gateway([service(1)], ROUTES, policies=Policies(bounds=Bounds(query_bytes_max=3))) as world:
            answers = [
                await talk(world.port, request)
                for request in (asking("/b?1234"), asking("/b?123"), asking("/a", "POST"), asking("/a/./b"))
            ]
            assert [statuses(answer) for answer in answers] == [[414], [404], [405], [400]]
            assert b"\r\nallow: GET, HEAD\r\n" in answers[2]
            assert b"The path is ambiguous." in answers[3]
            assert [event.error for event in world.sink.events] == [
                "uri_too_long",
                "route_not_found",
                "method_not_allowed",
                "malformed_request",
            ]

    run(main)


def test_a_body_that_goes_nowhere_is_not_waited_for() -> None:
    async def main() -> None:
        async with gateway([service(1)], ROUTES, policies=Policies(rate_limits=(limit("ip"),))) as world:
            head = b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
            assert statuses(await talk(world.port, head)) == [404]
            assert statuses(await talk(world.port, head + b"hello" + asking("/nowhere"))) == [404, 404]

    run(main)
