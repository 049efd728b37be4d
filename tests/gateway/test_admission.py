"""Policies in their chain: their order, what they may answer, and that none of them can lose a request."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.gateway.world import PEPPER, World, gateway, route, run, service, statuses, talk, upstream

from foregate.gateway.policies.policy import Answer, Ask, NeedBody, Policy, Refuse, Verdict, Wait
from foregate.gateway.request import Request
from foregate.http1 import Request as UpstreamRequest
from foregate.http1 import Response
from foregate.kernel.secrets import hash_key
from foregate.wire.policies import Bounds, Extension, IpFilter, Policies, Rate, RateLimit
from foregate.wire.snapshot import Key, Plan, Weighted


class Doing(Policy):
    """Does what the test says, and keeps account of it."""

    name = "doing"

    def __init__(self, does: Callable[[Request], Verdict | None], body_bytes_max: int = 0) -> None:
        self._does = does
        self.body_bytes_max = body_bytes_max
        self.ended: list[int] = []

    def admit(self, request: Request) -> Verdict | None:
        request.ends(lambda ended: self.ended.append(ended.status))
        return self._does(request)


def with_policy(policy: Policy) -> dict[str, Any]:
    return {
        "routes": [route(auth=(), extensions=(Extension("mine"),))],
        "extensions": {"mine": lambda settings: policy},
    }


async def ask(world: World, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
    answer = await world.client.request(method, world.url(), body=body)
    return answer.status, await answer.read()


async def refuse_later() -> Verdict | None:
    await asyncio.sleep(0.02)
    return Refuse("forbidden")


async def pass_later() -> Verdict | None:
    await asyncio.sleep(0.02)
    return None


async def fail_later() -> Verdict | None:
    await asyncio.sleep(0.02)
    raise RuntimeError("a bug of somebody else")


def fail_at_the_end(request: Request) -> Verdict | None:
    request.ends(fail)
    return None


def fail(request: Request) -> Verdict | None:
    raise RuntimeError("a bug of somebody else")


def spoil_body(request: Request) -> Verdict | None:
    request.chunks, request.body = [], "text"  # type: ignore[assignment]
    return None


@pytest.mark.parametrize(
    ("does", "status", "told"),
    [
        (lambda request: None, 200, "doing:passed"),
        (lambda request: Refuse("forbidden", "no"), 403, "doing:refused"),
        (lambda request: Answer(418, b"x-tea: 1\r\n", b"short and stout"), 418, "doing:answered"),
        (lambda request: Wait(0.02), 200, "doing:passed"),
        (lambda request: Ask(pass_later()), 200, "doing:passed"),
        (lambda request: Ask(refuse_later()), 403, "doing:refused"),
        (lambda request: Ask(fail_later()), 500, "doing:refused"),
        (fail, 500, "doing:refused"),
        (fail_at_the_end, 200, "doing:passed"),
        (lambda request: Refuse("no such code"), 500, "doing:refused"),
        (lambda request: Answer(200, b"", "text"), 500, "doing:refused"),
        (lambda request: "no verdict", 500, "doing:refused"),
        (lambda request: Refuse("forbidden", lines="a: b\r\n"), 500, "doing:refused"),  # type: ignore[arg-type]
        (lambda request: Refuse("forbidden", lines=b"a: b"), 500, "doing:refused"),
        (lambda request: Answer(200, b"a: b\nc: d\r\n"), 500, "doing:refused"),
        (lambda request: Wait("1"), 500, "doing:refused"),  # type: ignore[arg-type]
        (spoil_body, 500, "doing:passed"),
    ],
)
def test_whatever_a_policy_says_the_request_gets_one_answer_one_event_one_end(
    does: Callable[[Request], Verdict | None], status: int, told: str
) -> None:
    policy = Doing(does)

    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], **with_policy(policy)) as world:
            assert (await ask(world))[0] == status
            assert (await ask(world))[0] == status  # on the same connection: nothing of the first is left
            assert [event.policies for event in world.sink.events] == [told] * 2
            assert [event.status for event in world.sink.events] == [status] * 2
            assert len(seen.requests) == (2 if status == 200 else 0)
            assert policy.ended == [status] * 2

    run(main)


@pytest.mark.parametrize("does", [lambda request: Wait(30.0), lambda request: Ask(asyncio.sleep(30.0))])
def test_a_client_that_leaves_while_a_policy_thinks_ends_its_request(does: Callable[[Request], Verdict | None]) -> None:
    policy = Doing(does)

    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], **with_policy(policy)) as world:
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.sleep(0.1)
            assert (world.event.status, policy.ended, seen.requests) == (499, [499], [])

    run(main)


@pytest.mark.parametrize("fails", [False, True])
def test_a_client_that_left_is_not_asked_for_again_by_a_policy_that_would_not_be_stopped(fails: bool) -> None:
    late: list[str] = []

    def does(request: Request) -> Verdict | None:
        async def stubborn() -> Verdict | None:
            try:
                await asyncio.sleep(30.0)
            except asyncio.CancelledError:  # as clients of databases do while they connect
                request.ends(lambda _: late.append("given back"))
            if fails:
                raise RuntimeError("a bug of somebody else")
            return None

        return Ask(stubborn())

    policy = Doing(does)

    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], **with_policy(policy)) as world:
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.sleep(0.1)
            assert [event.status for event in world.sink.events] == [499]
            assert (policy.ended, late, seen.requests) == ([499], ["given back"], [])

    run(main)


def test_a_policy_that_needs_the_body_gets_it_whole_and_may_change_it() -> None:
    def does(request: Request) -> Verdict | None:
        assert request.body is not None
        request.body = request.body.upper()
        return None

    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], **with_policy(Doing(does, 1_000))) as world:
            pieces = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            for piece in (pieces, b"3\r\nabc\r\n", b"3\r\ndef\r\n", b"0\r\n\r\n"):
                writer.write(piece)
                await asyncio.sleep(0.02)
            assert statuses(await reader.read()) == [200]
            writer.close()
            assert seen.bodies == [b"ABCDEF"]
            assert seen.requests[0].header("content-length") == "6"
            assert (await ask(world, "POST", b"x" * 1_001))[0] == 413
            assert len(seen.requests) == 1

    run(main)


def test_a_body_that_waited_for_one_policy_is_read_on_for_the_next() -> None:
    waiting = Doing(lambda request: Wait(0.1))
    reading = Doing(lambda request: None, 1_000_000)
    both = {"waiting": lambda settings: waiting, "reading": lambda settings: reading}

    async def main() -> None:
        routes = [route(auth=(), extensions=(Extension("waiting"), Extension("reading")))]
        async with upstream() as (seen, port), gateway([service(port)], routes, extensions=both) as world:
            body = b"z" * 300_000
            assert (await ask(world, "POST", body))[0] == 200
            assert seen.bodies == [body]

    run(main)


@pytest.mark.parametrize("field", [("x-a", b"b"), (b"x-a", b"b\r\nx-evil: 1"), (b"x-a", 1)])
def test_a_policy_that_spoils_an_answers_head_gives_500_and_nobody_waits(field: Any) -> None:
    class Spoiling(Policy):
        name = "spoiling"

        def answered(self, request: Request, status: int, headers: list[Any]) -> list[Any]:
            return [*headers, field]

    async def main() -> None:
        async with upstream() as (_, port), gateway([service(port)], **with_policy(Spoiling())) as world:
            assert (await ask(world))[0] == 500
            assert world.event.error == "internal"

    run(main)


def test_a_body_is_waited_for_while_a_policy_thinks() -> None:
    async def main() -> None:
        policy = Doing(lambda request: Wait(0.1))
        async with upstream() as (seen, port), gateway([service(port)], **with_policy(policy)) as world:
            body = b"y" * 300_000  # more than is kept while nobody can take it
            assert (await ask(world, "POST", body))[0] == 200
            assert seen.bodies == [body]

    run(main)


def test_who_asks_comes_before_how_much_and_where_from_before_both() -> None:
    limit = RateLimit(rate=Rate(1, 1_000), burst=1.0)
    policies = {"rate_limits": (limit,), "ip_filter": IpFilter(deny=("127.0.0.1",)), "bounds": Bounds()}

    async def main() -> None:
        async with gateway([service(1)], [route(**policies)]) as world:
            assert b" 403 " in await talk(world.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert world.event.policies == "ip_filter:refused"
        async with gateway([service(1)], [route(rate_limits=(limit,))]) as world:
            for _ in range(3):  # without a key the limit is not even asked
                assert b" 401 " in await talk(world.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert {event.limit for event in world.sink.events} == {"none"}

    run(main)


def test_plans_and_keys_bring_their_own_policies() -> None:
    def limit(name: str, burst: float) -> Policies:
        return Policies(rate_limits=(RateLimit(name, rate=Rate(1, 1_000), burst=burst),))

    secrets = {"plain": "k" * 20, "gold": "g" * 20, "own": "o" * 20}
    keys = (
        Key("plain", "plain", hash_key(secrets["plain"], PEPPER)),
        Key("gold", "gold", hash_key(secrets["gold"], PEPPER), plan="gold"),
        Key("own", "own", hash_key(secrets["own"], PEPPER), plan="gold", policies=limit("limit", 4.0)),
    )
    plans = (Plan("gold", limit("limit", 2.0)),)

    async def main() -> None:
        async with (
            upstream() as (_, port),
            gateway(
                [service(port)], [route(rate_limits=limit("limit", 1.0).rate_limits)], keys=keys, plans=plans
            ) as world,
        ):
            passed = {}
            for name, secret in secrets.items():
                raw = f"GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: {secret}\r\nConnection: close\r\n\r\n".encode()
                passed[name] = [statuses(await talk(world.port, raw)) for _ in range(6)].count([200])
            assert passed == {"plain": 1, "gold": 2, "own": 4}

    run(main)


def test_a_canary_gets_its_share_and_a_client_stays_where_it_is() -> None:
    async def main() -> None:
        async with upstream() as (old, port), upstream() as (new, other):
            parts = [Weighted("old", 3), Weighted("new", 1)]
            services = [service(port, name="old"), service(other, name="new")]
            async with gateway(services, [route(to=parts, auth=())]) as world:
                for number in range(120):
                    for _ in range(2):
                        answer = await world.client.request(
                            "GET", world.url(), headers=[(b"x-api-key", b"client %d" % number)]
                        )
                        await answer.read()
            assert len(old.requests) + len(new.requests) == 240
            assert 30 <= len(new.requests) <= 90
            assert all(len(side.requests) % 2 == 0 for side in (old, new))

    run(main)


def test_bodies_that_policies_read_share_one_budget_and_give_it_back_however_they_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("foregate.gateway.gateway.HELD_BODY_BYTES_MAX", 10_000)
    verdicts: list[Verdict | None] = []
    policy = Doing(lambda request: verdicts.pop() if verdicts else None, 100_000)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"

    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], **with_policy(policy)) as world:
            bodies = world.gateway._admission.bodies
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(head + b"x" * 8_000)
            while bodies.held < 8_000:
                await asyncio.sleep(0.01)
            answer = await world.client.request("POST", world.url(), body=b"y" * 3_000)
            assert (answer.status, answer.header("retry-after")) == (503, "1")
            assert b'"overloaded"' in await answer.read()
            assert (await ask(world, "POST", b"z" * 2_000))[0] == 200  # there is room for a smaller one
            assert bodies.held == 8_000
            writer.close()  # a client that leaves
            while bodies.held:
                await asyncio.sleep(0.01)
            for verdict, status in ((None, 200), (Refuse("forbidden"), 403), (Answer(204), 204), ("nonsense", 500)):
                verdicts[:] = [verdict]  # type: ignore[list-item]
                assert (await ask(world, "POST", b"z" * 10_000))[0] == status
                assert bodies.held == 0
            assert (await ask(world, "POST", b"z" * 10_001))[0] == 503
            too_large = head.replace(b"9000", b"100001")  # is known beforehand: nothing of it is held, or waited for
            assert statuses(await talk(world.port, too_large)) == [413]
            page = await talk(world.port, b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert b"\nforegate_held_bodies_refused_total 2\n" in page
            assert b"\nforegate_held_body_bytes 0\n" in page
            assert [len(body) for body in seen.bodies] == [2_000, 10_000]

    run(main)


def test_a_policy_that_asks_for_the_body_without_end_is_refused() -> None:
    async def main() -> None:
        asking = with_policy(Doing(lambda request: NeedBody(1_000)))
        async with upstream() as (seen, port), gateway([service(port)], **asking) as world:
            assert [(await ask(world, "POST", b"x"))[0] for _ in range(2)] == [500] * 2
            assert [event.policies for event in world.sink.events] == ["doing:refused"] * 2
            assert not seen.requests
            assert world.gateway._admission.bodies.held == 0

    run(main)


def test_a_body_is_held_as_long_as_its_request_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foregate.gateway.gateway.HELD_BODY_BYTES_MAX", 10_000)
    going = asyncio.Event()

    async def answer(request: UpstreamRequest) -> Response:
        await request.body(100_000)
        await going.wait()
        return Response(200, b"done")

    async def main() -> None:
        policy = Doing(lambda request: None, 100_000)
        async with upstream(answer) as (seen, port), gateway([service(port)], **with_policy(policy)) as world:
            first = asyncio.get_running_loop().create_task(ask(world, "POST", b"x" * 6_000))
            while not seen.requests:
                await asyncio.sleep(0.01)
            assert (await ask(world, "POST", b"x" * 6_000))[0] == 503
            going.set()
            assert (await first)[0] == 200
            assert (await ask(world, "POST", b"x" * 6_000))[0] == 200
            assert world.gateway._admission.bodies.held == 0

    run(main)
