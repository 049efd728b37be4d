"""A service's places: taken, waited for, given back however a request ends."""

import asyncio
import random

from tests.gateway.policies.asking import ask, end, means

from foregate.gateway.policies.bulkhead import BulkheadPolicy
from foregate.gateway.policies.policy import Ask, Place, Refuse, Verdict
from foregate.gateway.request import Request
from foregate.kernel.clock import ManualClock, SystemClock
from foregate.wire.policies import Bulkhead


def bulkhead(places: int, queue: int = 0, wait_s: float = 1.0) -> BulkheadPolicy:
    return BulkheadPolicy(Bulkhead(places, queue, wait_s), means(clock=SystemClock()), Place("service:a", "a"))


def admitted(policy: BulkheadPolicy, *requests: Request) -> list[str]:
    kinds = {type(None): "in", Ask: "waits", Refuse: "refused"}
    return [kinds[type(policy.admit(request))] for request in requests]


async def verdict_of(ask_: Verdict | None) -> Verdict | None:
    assert isinstance(ask_, Ask)
    return await ask_.verdict


def test_without_a_queue_the_next_one_is_refused_until_a_place_is_given_back() -> None:
    policy = bulkhead(2)
    first, second = ask(), ask()
    assert admitted(policy, first, second, ask()) == ["in", "in", "refused"]
    end(first, status=499, error="client_closed")
    assert admitted(policy, ask(), ask()) == ["in", "refused"]
    refusal = policy.admit(ask())
    assert isinstance(refusal, Refuse)
    assert (refusal.code, refusal.lines) == ("bulkhead_full", b"retry-after: 1\r\n")


def test_places_go_to_the_highest_priority_that_waits() -> None:
    async def main() -> None:
        policy = bulkhead(1, queue=2)
        inside = ask()
        policy.admit(inside)
        low, high = policy.admit(ask(priority=10)), policy.admit(ask(priority=90))
        end(inside)
        assert await asyncio.wait_for(verdict_of(high), 5) is None
        assert isinstance(low, Ask)
        assert not low.verdict.done()  # type: ignore[attr-defined]

    asyncio.run(main())


def test_a_full_queue_sheds_its_lowest_for_a_higher_newcomer() -> None:
    async def main() -> None:
        policy = bulkhead(1, queue=1)
        policy.admit(ask())
        low = policy.admit(ask(priority=10))
        assert isinstance(policy.admit(ask(priority=10)), Refuse)
        assert isinstance(policy.admit(ask(priority=20)), Ask)
        refusal = await asyncio.wait_for(verdict_of(low), 5)
        assert isinstance(refusal, Refuse)
        assert refusal.code == "bulkhead_full"

    asyncio.run(main())


def test_nobody_waits_longer_than_wait_s() -> None:
    async def main() -> None:
        policy = bulkhead(1, queue=5, wait_s=0.05)
        policy.admit(ask())
        verdicts = await asyncio.wait_for(asyncio.gather(*[verdict_of(policy.admit(ask())) for _ in range(3)]), 5)
        assert all(isinstance(verdict, Refuse) for verdict in verdicts)
        assert policy.gate.waiting == 0

    asyncio.run(main())


def test_a_request_says_how_long_it_has_waited_whatever_became_of_it() -> None:
    async def main() -> None:
        clock = ManualClock()
        policy = BulkheadPolicy(Bulkhead(1, 2, 60.0), means(clock=clock), Place("service:a", "a"))
        inside, let_in, left, refused = ask(), ask(), ask(), ask()
        assert admitted(policy, inside, let_in, left, refused) == ["in", "waits", "waits", "refused"]
        clock.advance(3.0)
        end(left, 499, "client_closed")
        clock.advance(4.0)
        end(inside)
        clock.advance(5.0)
        end(let_in)
        assert [one.waited_s for one in (inside, let_in, left, refused)] == [0.0, 7.0, 3.0, 0.0]

    asyncio.run(main())


def test_a_client_that_leaves_while_it_waits_holds_no_place() -> None:
    async def main() -> None:
        policy = bulkhead(1, queue=5)
        inside, waiting = ask(), ask()
        policy.admit(inside)
        policy.admit(waiting)
        end(waiting, 499, "client_closed")
        assert policy.gate.waiting == 0
        end(inside)
        assert policy.gate.inside == 0

    asyncio.run(main())


def test_a_client_that_leaves_in_the_moment_it_is_let_in_gives_its_place_back() -> None:
    async def main() -> None:
        policy = bulkhead(1, queue=5)
        inside, waiting = ask(), ask()
        policy.admit(inside)
        policy.admit(waiting)
        end(inside)  # lets `waiting` in, which has not noticed yet
        assert policy.gate.inside == 1
        end(waiting, 499, "client_closed")
        assert policy.gate.inside == 0

    asyncio.run(main())


def test_other_settings_count_who_is_inside_and_let_in_who_waits() -> None:
    async def main() -> None:
        policy = bulkhead(2, queue=2)
        first, second, third = ask(), ask(), ask()
        for request in (first, second):
            policy.admit(request)
        waiting = policy.admit(third)
        policy.adopt(Bulkhead(1, 5, 1.0))
        end(first)
        assert (policy.gate.inside, policy.gate.waiting) == (1, 1)  # there were too many: nobody takes that place
        policy.adopt(Bulkhead(2, 5, 1.0))
        assert await asyncio.wait_for(verdict_of(waiting), 5) is None
        assert (policy.gate.inside, policy.gate.waiting) == (2, 0)
        for request in (second, third):
            end(request)
        assert policy.gate.inside == 0

    asyncio.run(main())


def test_at_once_or_not_at_all() -> None:
    policy = bulkhead(1, queue=5)
    request = ask()
    assert policy.enters(request)
    assert not policy.enters(ask())
    assert (policy.gate.inside, policy.gate.waiting) == (1, 0)
    end(request)
    assert policy.enters(ask())


def test_whatever_happens_no_place_is_lost_and_none_is_given_twice() -> None:
    async def main(seed: int) -> None:
        rng = random.Random(seed)
        policy = bulkhead(4, queue=6, wait_s=0.01)
        alive: dict[Request, Verdict | None] = {}
        for _ in range(400):
            if rng.random() < 0.6:
                request = ask(priority=rng.choice([0, 50, 100]))
                verdict = policy.admit(request)
                if isinstance(verdict, Refuse):
                    end(request, 503, "bulkhead_full")
                else:
                    alive[request] = verdict
            elif alive:
                request = rng.choice(list(alive))
                del alive[request]
                end(request)
            if rng.random() < 0.1:
                await asyncio.sleep(0.004)
            assert 0 <= policy.gate.inside <= 4
            assert policy.gate.waiting <= 6
        for request in alive:
            end(request)
        assert policy.gate.inside == 0

    for seed in range(5):
        asyncio.run(main(seed))
