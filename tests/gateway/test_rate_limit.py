"""The token bucket: exact for one worker, exact for several that share one number."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.world import KEY, gateway, run, service, upstream

from foregate.adapters.embedded.counters import open_counters
from foregate.gateway.policies.rate_limit import DEBT_MAX, decide
from foregate.wire.snapshot import RateLimit, Route


class TextbookBucket:
    """The bucket as everybody writes it, for one process."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit, self.tokens, self.last_s = limit, limit.burst, 0.0

    def take(self, now_s: float) -> bool:
        self.tokens = min(self.limit.burst, self.tokens + (now_s - self.last_s) * self.limit.rate)
        self.last_s = now_s
        if self.tokens < 1.0 - 1e-6:
            return False
        self.tokens -= 1.0
        return True


LIMIT = st.builds(RateLimit, rate=st.sampled_from([0.5, 2.0, 100.0]), burst=st.sampled_from([1.0, 5.0, 50.0]))
GAPS = st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.25, 0.5, 2.0, 100.0]), max_size=200)


@given(LIMIT, GAPS)
def test_it_admits_what_a_textbook_bucket_admits(limit: RateLimit, gaps: list[float]) -> None:
    textbook = TextbookBucket(limit)
    used, now_s = 0.0, 0.0
    for gap in gaps:
        now_s += gap
        verdict = decide(now_s, used + 1e-9, limit)
        near = abs(textbook.tokens + gap * limit.rate - 1.0) < 1e-5
        if not near:  # where float noise decides, both are right
            assert verdict.allowed == textbook.take(now_s)
        elif verdict.allowed is not textbook.take(now_s):
            return
        used += verdict.used


def test_a_refused_request_is_not_counted_and_says_when_to_come_back() -> None:
    limit = RateLimit(rate=2.0, burst=1.0)
    first = decide(0.0, 0.0, limit)
    assert first.allowed
    refused = [decide(0.1, first.used, limit) for _ in range(50)]
    assert not any(verdict.allowed or verdict.used for verdict in refused)
    assert decide(0.1 + refused[0].retry_after_s, first.used, limit).allowed


def test_a_debt_that_no_race_can_explain_is_forgiven() -> None:
    limit = RateLimit(rate=1.0, burst=5.0)
    verdict = decide(0.0, 1_000_000.0, limit)  # a clock that began anew
    assert not verdict.allowed
    assert decide(1.0, 1_000_000.0 + verdict.used, limit).allowed
    assert decide(0.0, 5.0 + DEBT_MAX, limit).used == 0.0


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("rate", [10.0, 1_000.0])
def test_workers_that_share_a_table_admit_no_more_than_one_would(tmp_path: Path, workers: int, rate: float) -> None:
    limit = RateLimit(rate=rate, burst=rate)
    tables = [open_counters(tmp_path / "counters.bin", workers, 1, worker) for worker in range(workers)]
    rng = random.Random(3)
    admitted, now_s = 0, 1_000_000.0
    for _ in range(60_000):
        now_s += rng.expovariate(rate * 3)  # three times what is allowed, at whichever worker
        table = tables[rng.randrange(workers)]
        verdict = decide(now_s, table.total(0), limit)
        table.add(0, verdict.used)
        admitted += verdict.allowed
    allowed = rate * (now_s - 1_000_000.0) + limit.burst
    for table in tables:
        table.close()
    assert 0.99 * allowed <= admitted <= 1.01 * allowed


def test_a_worker_that_slept_does_not_bring_a_bucket_of_its_own(tmp_path: Path) -> None:
    limit = RateLimit(rate=1.0, burst=100.0)
    one, other = (open_counters(tmp_path / "counters.bin", 2, 1, worker) for worker in range(2))
    first = decide(0.0, other.total(0), limit)
    assert first.allowed
    other.add(0, first.used)
    admitted = 0
    for _ in range(200):
        verdict = decide(500.0, one.total(0), limit)
        one.add(0, verdict.used)
        admitted += verdict.allowed
    slept = decide(500.0, other.total(0), limit)
    one.close()
    other.close()
    assert admitted == 100
    assert not slept.allowed


def test_over_the_limit_is_429_with_retry_after_and_an_event() -> None:
    async def main() -> None:
        route = Route("/", "svc", rate_limit=RateLimit(rate=0.1, burst=2.0))
        async with upstream() as (seen, port), gateway([service(port)], [route]) as world:
            answers: list[int] = []
            for _ in range(5):
                answer = await world.client.request("GET", world.url(), headers=[(b"x-api-key", KEY.encode())])
                await answer.read()
                answers.append(answer.status)
            assert answers == [200, 200, 429, 429, 429]
            assert answer.header("retry-after") == "10"
            assert answer.header("ratelimit-policy") == '"key";q=2;w=20'
            assert (answer.header("ratelimit") or "").startswith('"key";r=0;t=')
            assert len(seen.requests) == 2
            assert [event.limit for event in world.sink.events] == ["allowed"] * 2 + ["refused"] * 3
            assert {event.error for event in world.sink.events[2:]} == {"rate_limited"}

    run(main)
