"""Answers over windows: merged, never averaged; refused when they would cost too much."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.telemetry.making import T0, assert_window, event, traffic
from tests.telemetry.world import Stores

from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError
from foregate.telemetry import Query
from foregate.telemetry.query import metrics


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path, ManualClock(T0 + 3_000))
    yield stores
    stores.close()


def test_totals_and_summary_equal_a_recomputation_from_events(stores: Stores) -> None:
    events = traffic(seed=1, count=3_000, seconds=900)
    stores.publish(events)
    stores.consumer().step()
    answer = metrics(stores.series, span_s=60, from_s=T0, until_s=T0 + 900)
    assert len(answer.series) == 5
    assert [one.start_s for one in answer.total] == [T0 + 60 * n for n in range(15)]
    for minute in answer.total:
        assert_window(minute, [one for one in events if minute.start_s <= one.time_s < minute.start_s + 60])
    assert_window(answer.summary, events)
    assert (answer.summary.start_s, answer.summary.span_s) == (T0, 900)


def test_a_merged_quantile_is_not_an_average_of_quantiles(stores: Stores) -> None:
    fast = [event(route="/fast", latency_ms=10.0)] * 98
    slow = [event(route="/slow", latency_ms=1_000.0)] * 2
    stores.publish(fast + slow)
    stores.consumer().step()
    answer = metrics(stores.series, span_s=60, from_s=T0, until_s=T0 + 60)
    assert math.isclose(answer.summary.p95_ms, 10.0, rel_tol=0.0101)
    assert math.isclose(answer.summary.p99_ms, 1_000.0, rel_tol=0.0101)


def test_service_and_route_choose_entities(stores: Stores) -> None:
    stores.publish([event(service=s, route=r) for s in ("a", "b") for r in ("/x", "/y")])
    stores.consumer().step()

    def chosen(**which: str) -> set[str]:
        answer = metrics(stores.series, span_s=10, from_s=T0, until_s=T0 + 10, **which)
        assert answer.summary.requests == len(answer.series)
        return {entity.service + entity.route for entity in answer.series}

    assert chosen() == {"a/x", "a/y", "b/x", "b/y"}
    assert chosen(service="a") == {"a/x", "a/y"}
    assert chosen(service="a", route="/y") == {"a/y"}
    assert chosen(service="c") == set()


def test_the_rate_of_the_summary_is_right_while_the_last_window_fills(stores: Stores) -> None:
    now_s = T0 + 65  # five seconds into a pane
    stores.publish([event(time_s=T0 + n) for n in range(65)])
    stores.consumer().step()
    answer = metrics(stores.series, span_s=10, from_s=now_s - 60, until_s=now_s)
    assert math.isclose(answer.summary.rps, 1.0, rel_tol=0.01)


def test_nothing_stored_is_an_empty_answer(stores: Stores) -> None:
    answer = metrics(stores.series, span_s=60, from_s=T0, until_s=T0 + 60)
    assert (answer.series, answer.total, answer.summary.requests) == ({}, [], 0)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ({"span_s": 61}, "one of 10, 60, 300, 900 seconds, not 61"),
        ({"from_s": T0 + 60}, "end after it begins"),
        ({"from_s": math.nan}, "finite ends"),
        ({"until_s": math.inf}, "finite ends"),
        ({"windows_max": 2}, "holds more than 2 windows of 10 s: ask for a shorter one"),
    ],
)
def test_a_question_that_makes_no_sense_or_costs_too_much_is_refused(
    stores: Stores, question: dict[str, float], sentence: str
) -> None:
    stores.publish([event(time_s=T0 + 10 * n) for n in range(3)])
    stores.consumer().step()
    plain = {"span_s": 10, "from_s": T0, "until_s": T0 + 60}
    with pytest.raises(ForegateError, match=sentence) as refused:
        metrics(stores.series, **(plain | question))
    assert refused.value.spec.code == "invalid_parameter"


def test_the_lag_is_what_no_window_covers_yet(stores: Stores) -> None:
    query = Query(stores.series, stores.bus, stores.series.offsets)
    stores.publish([event()] * 3)
    stores.publish([event()] * 4, partition=2)
    assert query.lag_events() == 7
    stores.consumer().step()
    assert query.lag_events() == 0
    assert query.counts() == {"accepted": 7}
