"""Another attempt where it is safe and useful, and nowhere else."""

import asyncio
import random

import pytest
from tests.gateway.world import FAST_RETRY, gateway, raw_upstream, refusing_port, run, service, talk, upstream

from foregate.gateway.policies.retry import Attempted, decide
from foregate.http1 import Request, Response
from foregate.wire.policies import Retry

DEFAULT = Retry()


def attempted(**facts: object) -> Attempted:
    known: dict[str, object] = {
        "attempts": 1, "status": 503, "code": "", "repeatable": True, "replayable": True, "begun": False, **facts,
    }  # fmt: skip
    return Attempted(**known)  # type: ignore[arg-type]


def test_waits_double_up_to_the_most_with_jitter_around_them() -> None:
    rng = random.Random(1)
    for attempts, expected in ((1, 1.0), (2, 2.0), (3, 4.0)):
        waits = [decide(attempted(attempts=attempts), DEFAULT, rng) or 0.0 for _ in range(200)]
        assert expected * 0.8 <= min(waits) < expected * 0.85
        assert expected * 1.15 < max(waits) <= expected * 1.2
    assert decide(attempted(attempts=4), DEFAULT, rng) is None


@pytest.mark.parametrize(
    "facts",
    [
        {"status": 400}, {"status": 404}, {"status": 429}, {"status": 500}, {"repeatable": False},
        {"replayable": False}, {"begun": True}, {"status": 0, "code": "upstream_malformed"},
    ],
)  # fmt: skip
def test_what_is_not_worth_or_not_safe_to_repeat(facts: dict[str, object]) -> None:
    assert decide(attempted(**facts), DEFAULT, random.Random(1)) is None


async def statuses_of(
    answers: list[int], method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[int, int, int]:
    """Final status, requests at the upstream, attempts in the event."""
    left = list(answers)

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(left.pop(0), b"{}")

    async with upstream(answer) as (seen, port), gateway([service(port, retry=FAST_RETRY)]) as world:
        response = await world.client.request(method, world.url(), headers=headers, body=b"body")
        await response.read()
        return response.status, len(seen.requests), world.event.attempts


@pytest.mark.parametrize(
    ("answers", "method", "headers", "found"),
    [
        ([503, 502, 200], "GET", (), (200, 3, 3)),
        ([504, 504, 504, 504, 200], "PUT", (), (504, 4, 4)),
        ([503, 200], "POST", (), (503, 1, 1)),
        ([503, 200], "POST", ((b"idempotency-key", b"1"),), (200, 2, 2)),
        ([429, 200], "GET", (), (429, 1, 1)),
        ([404, 200], "GET", (), (404, 1, 1)),
        ([500, 200], "GET", (), (500, 1, 1)),
    ],
)
def test_which_answers_are_asked_for_again(
    answers: list[int], method: str, headers: tuple[tuple[bytes, bytes], ...], found: tuple[int, int, int]
) -> None:
    assert run(lambda: statuses_of(answers, method, headers)) == found


def test_the_whole_body_is_sent_again() -> None:
    bodies: list[bytes] = []

    async def answer(request: Request) -> Response:
        bodies.append(await request.body())
        return Response(503 if len(bodies) < 3 else 200, b"{}")

    async def parts():  # type: ignore[no-untyped-def]
        for number in range(5):
            yield b"part %d " % number
            await asyncio.sleep(0.005)

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port, retry=FAST_RETRY)]) as world:
            response = await world.client.request("PUT", world.url(), body=parts())
            assert response.status == 200
            await response.read()

    run(main)
    assert bodies == [b"part 0 part 1 part 2 part 3 part 4 "] * 3


def test_a_body_too_large_to_keep_is_not_sent_again() -> None:
    async def answer(request: Request) -> Response:
        await request.body(1_000_000)
        return Response(503, b"{}")

    async def main() -> None:
        async with upstream(answer) as (seen, port), gateway([service(port, retry=FAST_RETRY)]) as world:
            response = await world.client.request("PUT", world.url(), body=b"x" * 200_000)
            await response.read()
            assert (response.status, len(seen.requests)) == (503, 1)

    run(main)


def test_a_dead_target_is_left_for_a_living_one() -> None:
    async def main() -> None:
        async with upstream() as (_, port), gateway([service(refusing_port(), port, retry=FAST_RETRY)]) as world:
            statuses = [(await world.client.request("GET", world.url())).status for _ in range(4)]
            assert statuses == [200] * 4
            assert {event.target for event in world.sink.events} == {f"http://127.0.0.1:{port}"}

    run(main)


def test_no_attempt_follows_a_client_that_left_while_waiting() -> None:
    async def answer(request: Request) -> Response:
        return Response(503, b"{}")

    async def main() -> None:
        slow = Retry(attempts=3, base_s=0.3, max_s=0.3, jitter=0.0)
        async with upstream(answer) as (seen, port), gateway([service(port, retry=slow)]) as world:
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0.15)
            writer.close()
            await asyncio.sleep(0.5)
            assert len(seen.requests) == 1
            assert (world.event.status, world.event.error) == (499, "client_closed")

    run(main)


def test_a_keep_alive_connection_that_died_costs_neither_an_attempt_nor_the_circuit() -> None:
    async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.readuntil(b"\r\n\r\n")  # the next request is met with a closed connection

    async def main() -> None:
        async with raw_upstream(one_answer) as port, gateway([service(port)]) as world:
            statuses = []
            for _ in range(6):
                response = await world.client.request("GET", world.url())
                statuses.append((response.status, await response.read()))
            assert statuses == [(200, b"ok")] * 6
            assert [event.attempts for event in world.sink.events] == [1] * 6

    run(main)


def test_a_post_on_a_keep_alive_connection_that_died_is_not_sent_twice() -> None:
    received: list[bytes] = []

    async def take_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        received.append(await reader.readuntil(b"\r\n\r\n"))

    async def main() -> None:
        async with raw_upstream(take_and_close) as port, gateway([service(port)]) as world:
            post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            raw = await talk(world.port, post + post.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert raw.count(b"HTTP/1.1 200") == 1
            assert raw.count(b"HTTP/1.1 502") == 1
            assert len(received) == 2

    run(main)
