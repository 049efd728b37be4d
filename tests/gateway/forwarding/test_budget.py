"""Retries under load: a failing service is not drowned."""

import asyncio

from tests.gateway.world import gateway, run, service, upstream

from foregate.gateway import layout
from foregate.http1 import Request, Response
from foregate.wire.policies import CircuitBreaker, Retry

NEVER = CircuitBreaker(failures=10_000)


def test_in_an_outage_retries_stay_a_share_of_the_requests() -> None:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(0.01)
        return Response(503, b"{}")

    async def main() -> None:
        settings = Retry(attempts=3, base_s=0.3, max_s=0.3, budget=0.2, budget_min=1)
        async with upstream(answer) as (seen, port), gateway([service(port, retry=settings, breaker=NEVER)]) as world:

            async def one() -> int:
                response = await world.client.request("GET", world.url(), timeout_s=20)
                await response.read()
                return response.status

            assert set(await asyncio.gather(*[one() for _ in range(100)])) == {503}
            assert 105 <= len(seen.requests) <= 130  # without a budget: 400
            state = world.gateway._table.services["svc"]
            assert state.budget.active == 0
            assert state.cells[layout.RETRIES] == len(seen.requests) - 100
            assert state.cells[layout.BUDGET_EXHAUSTED] > 0
            assert any("retry:budget_exhausted" in event.policies for event in world.sink.events)

    run(main)


def test_a_retry_whose_client_left_while_it_waited_gives_its_place_back() -> None:
    async def answer(request: Request) -> Response:
        return Response(503, b"{}")

    async def main() -> None:
        slow = Retry(attempts=3, base_s=5.0, max_s=5.0)
        async with upstream(answer) as (_, port), gateway([service(port, retry=slow)]) as world:
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            state = world.gateway._table.services["svc"]
            for _ in range(100):
                await asyncio.sleep(0.02)
                if state.budget.active:
                    break
            assert state.budget.active == 1
            writer.close()
            await asyncio.sleep(0.2)
            assert (state.budget.active, state.inflight) == (0, 0)

    run(main)
