"""Limits of a route, end to end: what clients see, what is counted, what is given back."""

import asyncio

import pytest
from tests.gateway.policies.asking import ask as asked
from tests.gateway.world import KEY, PEPPER, World, gateway, route, run, service, talk, upstream

from foregate.gateway.policies.limits.policy import rule_of, shown, subject_of
from foregate.http1 import Request, Response
from foregate.kernel.secrets import hash_key
from foregate.ports.limits import CalendarWindow, Concurrency, FixedWindow, LeakyBucket, SlidingWindow, TokenBucket
from foregate.wire.policies import Policies, Quota, Rate, RateLimit
from foregate.wire.snapshot import Key

SLOW = Rate(1.0, 1_000.0)  # nothing comes back while a test runs


async def ask(world: World, path: str = "/", **headers: str) -> Response:
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    answer = await world.client.request("GET", world.url(path), headers=[*lines, (b"x-api-key", KEY.encode())])
    return Response(answer.status, await answer.read(), answer.headers)


def header(answer: Response, name: bytes) -> str:
    return next((value.decode() for key, value in answer.headers if key == name), "")


@pytest.mark.parametrize(
    ("limit", "rule"),
    [
        (RateLimit(rate=Rate(10, 1)), TokenBucket(10.0, 10.0)),
        (RateLimit(rate=Rate(30, 60)), TokenBucket(0.5, 1.0)),
        (RateLimit(rate=Rate(10, 1), burst=40), TokenBucket(10.0, 40.0)),
        (RateLimit(algorithm="leaky_bucket", rate=Rate(5, 1), delay_max_s=2.0), LeakyBucket(5.0, 5.0, 2.0)),
        (RateLimit(algorithm="sliding_window", rate=Rate(100, 60)), SlidingWindow(100, 60)),
        (RateLimit(algorithm="fixed_window", rate=Rate(100, 60)), FixedWindow(100, 60)),
        (RateLimit(algorithm="fixed_window", rate=Rate(0.5, 60)), FixedWindow(1, 120)),
        (RateLimit(algorithm="concurrency", max=3), Concurrency(3.0)),
        (Quota(limit=1000, period="month"), CalendarWindow(1000.0, "month")),
    ],
)
def test_settings_become_the_rule_that_they_say(limit: RateLimit | Quota, rule: object) -> None:
    assert rule_of(limit) == rule
    assert shown(rule_of(limit))[0] >= 1


def test_over_the_limit_is_429_with_its_headers_and_an_event() -> None:
    async def main() -> None:
        limit = RateLimit("mine", rate=Rate(1, 10), burst=2.0)
        async with upstream() as (seen, port), gateway([service(port)], [route(rate_limits=(limit,))]) as world:
            answers = [await ask(world) for _ in range(5)]
            assert [answer.status for answer in answers] == [200, 200, 429, 429, 429]
            assert header(answers[0], b"ratelimit-policy") == '"mine";q=2;w=20'
            assert header(answers[0], b"ratelimit").startswith('"mine";r=1;t=')
            assert header(answers[4], b"retry-after") == "10"
            assert header(answers[4], b"ratelimit").startswith('"mine";r=0;t=')
            assert len(seen.requests) == 2
            events = world.sink.events
            assert [event.limit for event in events] == ["allowed"] * 2 + ["refused"] * 3
            assert {event.error for event in events[2:]} == {"rate_limited"}
            assert events[0].policies == "api_key:passed rate_limits:passed"
            assert events[2].policies == "api_key:passed rate_limits:refused"

    run(main)


def test_of_several_limits_the_one_that_refuses_costs_nothing_of_the_others() -> None:
    async def main() -> None:
        wide = RateLimit("wide", rate=SLOW, burst=5.0, by="all")
        narrow = RateLimit("narrow", rate=SLOW, burst=1.0, by="header:x-user")
        async with upstream() as (_, port), gateway([service(port)], [route(rate_limits=(wide, narrow))]) as world:
            assert [(await ask(world, x_user="a")).status for _ in range(4)] == [200, 429, 429, 429]
            last = await ask(world, x_user="b")
            assert header(last, b"ratelimit").startswith('"wide";r=3;')

    run(main)


def test_a_limit_is_shared_by_whom_it_is_set_for() -> None:
    async def main() -> None:
        limit = RateLimit("shared", rate=SLOW, burst=1.0, by="ip")
        routes = [route("/a"), route("/b"), route("/own", rate_limits=(limit,))]
        async with upstream() as (_, port), gateway([service(port, rate_limits=(limit,))], routes) as world:
            # "/a" and "/b" share the service's limit; "/own" has one of the same name for itself.
            answers = [(await ask(world, path)).status for path in ("/a", "/b", "/own", "/own")]
            assert answers == [200, 429, 200, 429]

    run(main)


def test_shaping_delays_what_comes_too_early_and_says_so() -> None:
    async def main() -> None:
        limit = RateLimit(algorithm="leaky_bucket", rate=Rate(20, 1), burst=10.0)
        async with upstream() as (_, port), gateway([service(port)], [route(rate_limits=(limit,))]) as world:
            answers = await asyncio.gather(*(ask(world) for _ in range(4)))
            assert [answer.status for answer in answers] == [200] * 4
            waited = sorted(event.latency_ms for event in world.sink.events)
            assert waited[-1] > 100.0  # the fourth leaves 150 ms after the first
            delayed = [event for event in world.sink.events if "rate_limits:delayed" in event.policies]
            assert len(delayed) == 3

    run(main)


def test_a_client_that_leaves_while_it_is_delayed_is_not_sent_on() -> None:
    async def main() -> None:
        limit = RateLimit(algorithm="leaky_bucket", rate=Rate(2, 1), burst=10.0, delay_max_s=5.0)
        async with upstream() as (seen, port), gateway([service(port)], [route(rate_limits=(limit,))]) as world:
            await ask(world)
            raw = f"GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\n\r\n".encode()
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(raw)
            await asyncio.sleep(0.1)
            writer.close()
            await asyncio.sleep(0.8)
            assert len(seen.requests) == 1
            assert [event.status for event in world.sink.events] == [200, 499]

    run(main)


def test_concurrency_is_given_back_however_a_request_ends() -> None:
    release = asyncio.Event()

    async def answer(request: Request) -> Response:
        if request.path == "/hold":
            await release.wait()
        return Response(200, b"", [])

    async def main() -> None:
        limit = RateLimit(algorithm="concurrency", max=1)
        async with upstream(answer) as (_, port), gateway([service(port)], [route(rate_limits=(limit,))]) as world:
            holding = asyncio.get_running_loop().create_task(ask(world, "/hold"))
            await asyncio.sleep(0.1)
            assert (await ask(world)).status == 429
            release.set()
            assert (await holding).status == 200
            assert (await ask(world)).status == 200
            release.clear()
            raw = f"GET /hold HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\n\r\n".encode()
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(raw)
            await asyncio.sleep(0.1)
            writer.close()  # leaves in the middle
            await asyncio.sleep(0.1)
            assert (await ask(world)).status == 200

    run(main)


def test_an_open_route_counts_by_address_where_a_key_would_count() -> None:
    async def main() -> None:
        limit = RateLimit(rate=SLOW, burst=1.0, by="key")
        routes = [route("/", auth=(), rate_limits=(limit,))]
        async with upstream() as (_, port), gateway([service(port)], routes) as world:
            raw = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            first, second = await talk(world.port, raw), await talk(world.port, raw)
            assert (b" 200 " in first, b" 429 " in second) == (True, True)

    run(main)


def test_older_header_names_are_sent_where_wanted() -> None:
    async def main() -> None:
        limit = RateLimit(rate=SLOW, burst=5.0, legacy_headers=True)
        async with upstream() as (_, port), gateway([service(port)], [route(rate_limits=(limit,))]) as world:
            answer = await ask(world)
            assert (header(answer, b"x-ratelimit-limit"), header(answer, b"x-ratelimit-remaining")) == ("5", "4")

    run(main)


def test_a_quota_that_is_used_up_is_refused_by_its_own_code() -> None:
    async def main() -> None:
        quota = Quota(limit=2, period="day")
        async with upstream() as (_, port), gateway([service(port)], [route(quotas=(quota,))]) as world:
            assert [(await ask(world)).status for _ in range(3)] == [200, 200, 429]
            assert world.sink.events[-1].error == "quota_exceeded"
            assert world.sink.events[-1].limit == "refused"

    run(main)


@pytest.mark.parametrize("by", ["org", "plan"])
def test_an_org_or_plan_that_is_called_like_a_key_or_an_address_shares_nothing_with_it(by: str) -> None:
    names = {"fg_test_lonely": "", "fg_test_like_key": "k_lonely", "fg_test_like_address": "127.0.0.1"}
    keys = tuple(Key(f"k_{raw[8:]}", raw, hash_key(raw, PEPPER), **{by: name}) for raw, name in names.items())

    async def main() -> None:
        policies = Policies(rate_limits=(RateLimit(by=by, rate=SLOW, burst=1.0),))
        routes = [route("/", auth=()), route("/keyed")]
        async with upstream() as (_, port), gateway([service(port)], routes, policies=policies, keys=keys) as world:
            lonely, *others = ([(b"x-api-key", raw.encode())] for raw in names)
            for path, headers in [("/", []), ("/keyed", lonely), *(("/keyed", other) for other in others)]:
                for expected in (200, 429):
                    answer = await world.client.request("GET", world.url(path), headers=headers)
                    assert (answer.status, await answer.read() != b"") == (expected, True)

    run(main)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
@pytest.mark.parametrize("by", ["ip", "key"])
def test_an_address_is_what_one_client_has_of_them(by: str, one: str, other: str, same: bool) -> None:
    subject = subject_of(by)
    assert (subject(asked(peer=one)) == subject(asked(peer=other))) is same
