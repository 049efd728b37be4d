"""Who is next, who has to go, and that nobody waits for ever."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.policies.queue import PriorityQueue


def test_the_highest_priority_is_next_and_the_oldest_of_equals() -> None:
    queue: PriorityQueue[str] = PriorityQueue(10)
    for name, priority in (("a", 50), ("b", 90), ("c", 50), ("d", 90), ("e", 0)):
        queue.push(name, priority, 1.0)
    assert [entry.item for _ in range(5) if (entry := queue.pop())] == ["b", "d", "a", "c", "e"]
    assert queue.pop() is None


def test_at_the_bound_the_lowest_newest_makes_room_for_a_higher_newcomer() -> None:
    queue: PriorityQueue[str] = PriorityQueue(3)
    for name in ("first", "second"):
        queue.push(name, 10, 1.0)
    queue.push("high", 80, 1.0)
    assert queue.push("equal", 10, 1.0) == (None, None)
    entry, out = queue.push("higher", 20, 1.0)
    assert entry is not None
    assert out is not None
    assert out.item == "second"
    assert len(queue) == 3


def test_without_a_place_nobody_waits() -> None:
    queue: PriorityQueue[str] = PriorityQueue(0)
    assert queue.push("a", 100, 1.0) == (None, None)


def test_those_whose_time_is_over_are_out() -> None:
    queue: PriorityQueue[str] = PriorityQueue(10)
    queue.push("late", 90, 1.0)
    queue.push("in time", 10, 2.0)
    assert queue.next_deadline_s() == 1.0
    assert [entry.item for entry in queue.expired(1.0)] == ["late"]
    assert queue.next_deadline_s() == 2.0
    entry = queue.pop()
    assert entry is not None
    assert entry.item == "in time"


@given(st.integers(0, 2**32), st.integers(0, 12))
def test_it_does_what_a_sorted_list_would(seed: int, size: int) -> None:
    rng = random.Random(seed)
    queue: PriorityQueue[int] = PriorityQueue(size)
    model: list[tuple[int, int, float]] = []  # (-priority, number, deadline)
    entries = {}
    for number in range(200):
        kind = rng.random()
        if kind < 0.6:
            priority, deadline_s = rng.choice([0, 10, 50, 100]), rng.uniform(0, 200)
            entry, out = queue.push(number, priority, deadline_s)
            gone = None
            if len(model) >= size and model and -max(model)[0] < priority:
                gone = max(model)
                model.remove(gone)
            assert (out.item if out else None) == (gone[1] if gone else None)
            assert (entry is not None) is (len(model) < size)
            if entry is not None:
                entries[number] = entry
                model.append((-priority, number, deadline_s))
        elif kind < 0.8:
            popped = queue.pop()
            best = min(model, default=None)
            assert (popped.item if popped else None) == (best[1] if best else None)
            if best:
                model.remove(best)
        elif kind < 0.9 and model:
            item = rng.choice(model)
            queue.remove(entries[item[1]])
            model.remove(item)
        else:
            late = sorted(item for item in model if item[2] <= number)
            assert sorted(entry.item for entry in queue.expired(number)) == sorted(item[1] for item in late)
            model = [item for item in model if item not in late]
        assert len(queue) == len(model)
        assert queue.next_deadline_s() == min((item[2] for item in model), default=None)


def _cost_s(size: int) -> float:
    rng, best = random.Random(1), 1.0
    queue: PriorityQueue[int] = PriorityQueue(size)
    for number in range(size):
        queue.push(number, rng.randrange(101), float(number))
    for _ in range(5):
        begun = time.process_time()
        for number in range(2_000):
            queue.pop()
            queue.push(number, rng.randrange(101), 1e9 + number)
        best = min(best, (time.process_time() - begun) / 2_000)
    return best


def test_its_cost_does_not_grow_with_its_length() -> None:
    assert _cost_s(50_000) < 8 * _cost_s(50)  # a scan would take a thousand times as long


def test_what_is_crossed_out_does_not_pile_up() -> None:
    queue: PriorityQueue[int] = PriorityQueue(10)
    for number in range(100_000):
        entry, _ = queue.push(number, 50, float(number))
        assert entry is not None
        queue.remove(entry)
    held = len(queue._first) + len(queue._last) + len(queue._soonest)
    assert held < 200
