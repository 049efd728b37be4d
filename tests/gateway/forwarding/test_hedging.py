"""A second attempt beside a slow one: the first answer wins, the other attempt is dropped and no failure."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.gateway.world import NO_RETRY, gateway, raw_upstream, run, service, talk, upstream

from foregate.gateway import layout
from foregate.http1 import Request, Response
from foregate.wire.policies import CircuitBreaker, Hedge, Retry

HEDGE = Hedge(after_s=0.1)
ONE_FAILURE = CircuitBreaker(failures=1, open_s=60.0)


class Turns:
    """Answers the n-th request it gets, at whichever target, by the n-th of `plans`; remembers who was cut off."""

    def __init__(self, *plans: Callable[[], Awaitable[Response]]) -> None:
        self.plans = list(plans)
        self.bodies: list[bytes] = []
        self.cut_off = 0

    async def __call__(self, request: Request) -> Response:
        plan = self.plans[len(self.bodies)]
        self.bodies.append(await request.body())
        try:
            return await plan()
        except asyncio.CancelledError:
            self.cut_off += 1
            raise


def after(seconds: float, status: int = 200, body: bytes = b"{}") -> Callable[[], Awaitable[Response]]:
    async def plan() -> Response:
        await asyncio.sleep(seconds)
        return Response(status, body)

    return plan


def test_the_faster_answer_wins_and_the_slow_attempt_is_dropped_without_blame() -> None:
    turns = Turns(after(20.0), after(0.0, body=b"hedge"))

    async def main() -> None:
        async with (
            upstream(turns) as (_, one),
            upstream(turns) as (_, two),
            gateway([service(one, two, hedge=HEDGE, breaker=ONE_FAILURE)]) as world,
        ):
            answer = await world.client.request("PUT", world.url(), body=b"the body")
            assert (answer.status, await answer.read()) == (200, b"hedge")
            await asyncio.sleep(0.1)
            assert turns.cut_off == 1
            assert turns.bodies == [b"the body"] * 2
            event = world.event
            assert (event.attempts, event.error, event.breaker) == (2, "", "closed")
            assert "hedge:won" in event.policies
            state = world.gateway._table.services["svc"]
            assert [target.inflight for target in state.targets] == [0, 0]
            assert [target.cells[layout.FAILURES] for target in state.targets] == [0.0, 0.0]
            assert (state.inflight, state.budget.active, state.cells[layout.HEDGES]) == (0, 0, 1.0)

    run(main)


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
def test_a_hedge_that_wins_keeps_its_trailers(pause_s: float) -> None:
    order: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        order.append(number)
        if len(order) == 2:  # the first attempt gets no answer
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
            if pause_s:
                await asyncio.sleep(pause_s)
            writer.write(b"0\r\nX-Checksum: abc\r\n\r\n")
        await reader.read()

    async def main() -> None:
        async with (
            raw_upstream(serve) as one,
            raw_upstream(serve) as two,
            gateway([service(one, two, hedge=HEDGE)]) as world,
        ):
            raw = await talk(world.port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert raw.endswith(b"2\r\nok\r\n0\r\nx-checksum: abc\r\n\r\n")
            assert "hedge:won" in world.event.policies

    run(main)


def test_an_answer_in_time_is_not_hedged() -> None:
    turns = Turns(after(0.0), after(0.0))

    async def main() -> None:
        async with (
            upstream(turns) as (_, one),
            upstream(turns) as (_, two),
            gateway([service(one, two, hedge=HEDGE)]) as world,
        ):
            await (await world.client.request("GET", world.url())).read()
            await asyncio.sleep(0.3)
            assert len(turns.bodies) == 1

    run(main)


def test_a_stream_that_has_begun_is_not_hedged() -> None:
    async def tokens():  # type: ignore[no-untyped-def]
        for _ in range(4):
            yield b"token"
            await asyncio.sleep(0.1)

    async def streamed() -> Response:
        return Response(200, tokens())

    turns = Turns(streamed, after(0.0))

    async def main() -> None:
        async with (
            upstream(turns) as (_, one),
            upstream(turns) as (_, two),
            gateway([service(one, two, hedge=HEDGE)]) as world,
        ):
            assert await (await world.client.request("GET", world.url())).read() == b"token" * 4
            assert len(turns.bodies) == 1

    run(main)


def test_a_post_is_not_sent_twice() -> None:
    turns = Turns(after(0.4), after(0.0))

    async def main() -> None:
        async with (
            upstream(turns) as (_, one),
            upstream(turns) as (_, two),
            gateway([service(one, two, hedge=HEDGE)]) as world,
        ):
            answer = await world.client.request("POST", world.url(), body=b"order")
            assert (answer.status, world.event.attempts) == (200, 1)
            await answer.read()

    run(main)


def test_a_hedge_that_fails_does_not_disturb_the_first_attempt() -> None:
    turns = Turns(after(0.5, body=b"first"), after(0.0, status=500))

    async def main() -> None:
        async with (
            upstream(turns) as (_, one),
            upstream(turns) as (_, two),
            gateway([service(one, two, hedge=HEDGE)]) as world,
        ):
            answer = await world.client.request("GET", world.url())
            assert (answer.status, await answer.read()) == (200, b"first")
            state = world.gateway._table.services["svc"]
            assert sum(target.cells[layout.FAILURES] for target in state.targets) == 1.0
            assert (state.budget.active, [target.inflight for target in state.targets]) == (0, [0, 0])

    run(main)


def test_when_the_first_attempt_fails_the_hedge_under_way_takes_its_place() -> None:
    turns = Turns(after(0.25, status=503), after(0.4, body=b"hedge"))

    async def main() -> None:
        async with (
            upstream(turns) as (_, one),
            upstream(turns) as (_, two),
            gateway([service(one, two, hedge=HEDGE, retry=NO_RETRY)]) as world,
        ):
            answer = await world.client.request("GET", world.url())
            assert (answer.status, await answer.read()) == (200, b"hedge")
            assert world.event.attempts == 2
            state = world.gateway._table.services["svc"]
            assert (state.budget.active, [target.inflight for target in state.targets]) == (0, [0, 0])

    run(main)


def test_hedges_need_room_in_the_retry_budget() -> None:
    turns = Turns(after(0.3), after(0.0))

    async def main() -> None:
        none = Retry(attempts=0, budget=0.0, budget_min=0)
        async with (
            upstream(turns) as (_, one),
            upstream(turns) as (_, two),
            gateway([service(one, two, hedge=HEDGE, retry=none)]) as world,
        ):
            await (await world.client.request("GET", world.url())).read()
            assert world.event.attempts == 1
            assert "hedge:budget_exhausted" in world.event.policies

    run(main)


def test_a_client_that_leaves_takes_all_attempts_with_it() -> None:
    turns = Turns(after(20.0), after(20.0))

    async def main() -> None:
        async with (
            upstream(turns) as (_, one),
            upstream(turns) as (_, two),
            gateway([service(one, two, hedge=HEDGE, breaker=ONE_FAILURE)]) as world,
        ):
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0.4)
            assert len(turns.bodies) == 2
            writer.close()
            await asyncio.sleep(0.2)
            assert turns.cut_off == 2
            state = world.gateway._table.services["svc"]
            assert (world.event.status, state.budget.active, state.inflight) == (499, 0, 0)
            assert [target.circuit.state for target in state.targets] == ["closed", "closed"]

    run(main)
