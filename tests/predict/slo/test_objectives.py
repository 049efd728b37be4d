"""Error budgets and burn-rate alerts, minute by minute."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.predict.slo import RULES, Objectives
from foregate.predict.slo.book import CLOSE_LOOKS
from foregate.predict.slo.rules import WINDOWS_S
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity
from foregate.wire.objective import Objective, ObjectiveSet
from foregate.wire.window import WindowStats

PAY = Entity("default", "payments", "/pay", "production")
DAY_S = 86_400
START_S = 20_000 * DAY_S  # midnight
THREE_NINES = Objective(availability=0.999)


def minute(start_s: float, requests: int = 1_000, errors: int = 0, **more: float) -> WindowStats:
    return msgspec.structs.replace(WindowStats(start_s, 60, requests, errors), **more)


def watch(objective: Objective = THREE_NINES, **more: int) -> Objectives:
    return Objectives(ObjectiveSet(objective), **more)


def run(objectives: Objectives, errors: Iterable[int], from_s: float = START_S, requests: int = 1_000) -> list[Alert]:
    """A look after every minute; minute i has errors[i] of `requests`."""
    told = []
    for index, each in enumerate(errors):
        objectives.learn([(PAY, minute(from_s + 60 * index, requests, each))])
        told += objectives.judge(from_s + 60 * index + 70)
    return told


def raised(told: list[Alert]) -> list[Alert]:
    return [alert for alert in told if alert.raised_s == alert.updated_s]


def test_the_budget_says_what_was_spent_of_what_the_whole_period_allows() -> None:
    objectives = watch(Objective(availability=0.99, period_days=10))
    objectives.learn((PAY, minute(START_S + 60 * i, 1_000, 1)) for i in range(24 * 60))
    objectives.judge(START_S + DAY_S)  # a day at 0.1 %: of ten times as many requests 1 % may fail
    (state,) = objectives.state()
    (budget,) = state.budgets
    assert (budget.requests, budget.bad) == (24 * 60_000, 24 * 60)
    assert budget.allowed == pytest.approx(0.01 * 10 * budget.requests, rel=1e-3)
    assert budget.left == pytest.approx(1 - 0.01, abs=1e-4)
    assert objectives.budget_left(PAY) == budget.left
    assert state.note == "1.0 of 10 days seen"


def test_an_overspent_budget_is_negative_and_broken_already() -> None:
    objectives = watch()
    run(objectives, [1_000] * 60)
    run(objectives, [0] * 60, START_S + 3_600)
    (budget,) = objectives.state()[0].budgets
    assert budget.left == pytest.approx(1 - 60_000 / budget.allowed)
    assert budget.left < -0.3  # of the traffic that two hours of it lets expect for 30 days
    assert budget.broken_in_s == 0.0


def test_at_burn_rate_one_the_budget_lasts_for_its_period() -> None:
    objectives = watch()
    run(objectives, [1] * 120)
    (budget,) = objectives.state()[0].budgets
    assert {burn.window_s: burn.rate for burn in budget.burn}[3_600] == pytest.approx(1.0)
    assert budget.broken_in_s == pytest.approx(30 * DAY_S, rel=0.01)


def test_without_a_bad_request_it_is_never_broken() -> None:
    objectives = watch()
    assert run(objectives, [0] * 30) == []
    (budget,) = objectives.state()[0].budgets
    assert (budget.left, budget.broken_in_s) == (1.0, None)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 20)), min_size=1, max_size=90), st.integers(0, 1_439))
def test_every_window_counts_exactly_its_minutes(minutes: list[tuple[int, int]], at: int) -> None:
    objectives = watch()
    begin_s = START_S + 60 * at
    for index, (requests, errors) in enumerate(minutes):
        objectives.learn([(PAY, minute(begin_s + 60 * index, requests, errors))])
    objectives.judge(begin_s + 60 * len(minutes))
    (budget,) = objectives.state()[0].budgets
    for burn in budget.burn:
        last = minutes[-burn.window_s // 60 :]
        assert burn.requests == sum(requests for requests, _ in last)
        assert burn.bad == sum(min(requests, errors) for requests, errors in last)


def test_a_minute_that_is_learnt_again_counts_once() -> None:
    objectives = watch()
    for _ in range(3):
        run(objectives, [5] * 10)
    (budget,) = objectives.state()[0].budgets
    assert (budget.requests, budget.bad) == (10_000, 50)


@pytest.mark.parametrize(
    ("share", "severity", "long_s"),
    [(0.02, "page", 3_600), (0.0075, "page", 21_600), (0.0035, "ticket", 86_400), (0.0013, "ticket", 259_200)],
)
def test_each_rule_raises_at_its_burn_rate(share: float, severity: str, long_s: int) -> None:
    """The past is told by the hour, the last six hours by the minute, as after a restart."""
    objectives, now_s = watch(), START_S + 5 * DAY_S
    for hour in range(-72, -6):
        stats = WindowStats(now_s + hour * 3_600, 3_600, 60_000, round(60_000 * share))
        objectives.learn([(PAY, stats)])
    for index in range(-360, 0):
        objectives.learn([(PAY, minute(now_s + 60 * index, 10_000, round(10_000 * share)))])
    (alert,) = raised(objectives.judge(now_s))
    assert (alert.severity, alert.horizon_s, alert.kind, alert.outcome) == (severity, long_s, "burn_rate", "measured")
    assert alert.score == pytest.approx(share / 0.001, rel=0.05)


def test_just_below_every_rule_nothing_is_raised() -> None:
    objectives, now_s = watch(), START_S + 5 * DAY_S
    for hour in range(-72, 0):
        objectives.learn([(PAY, WindowStats(now_s + hour * 3_600, 3_600, 600_000, 590))])
    assert objectives.judge(now_s) == []


def test_what_is_over_pages_nobody_though_the_hour_still_burns() -> None:
    objectives = watch()
    objectives.learn([(PAY, minute(START_S + 60 * i, 1_000, 1_000 if 10 <= i < 20 else 0)) for i in range(40)])
    told = objectives.judge(START_S + 40 * 60)
    assert [alert.severity for alert in told if alert.severity == "page" and alert.horizon_s == 3_600] == []


def test_an_alert_is_raised_once_and_closes_once_when_the_burning_is_over() -> None:
    objectives = watch()
    told = run(objectives, [0] * 60 + [500] * 20 + [0] * 120)
    pages = [alert for alert in told if alert.severity == "page"]
    assert len({alert.id for alert in pages}) == 1
    assert [alert.state for alert in pages][-1] == "closed"
    assert pages[-1].peak_score > pages[0].score
    begin_s, end_s = START_S + 3_600, START_S + 4_800
    assert begin_s < pages[0].raised_s <= begin_s + 180
    # The shorter window of the slower page reaches back half an hour.
    assert end_s <= pages[-1].updated_s <= end_s + 1_800 + 60 * (CLOSE_LOOKS + 2)
    assert [alert for alert in pages if alert.state == "closed"] == pages[-1:]


def test_while_a_page_is_open_no_ticket_is_raised() -> None:
    told = run(watch(), [0] * 60 + [500] * 20)
    assert {alert.severity for alert in raised(told)} == {"page"}


def test_a_few_errors_of_few_requests_raise_nothing() -> None:
    assert run(watch(), [0] * 50 + [1, 0, 0, 1, 1, 1], requests=1) == []  # four errors
    assert raised(run(watch(), [1] * 10, requests=1)) == []  # ten of ten requests: below `requests_min`
    assert raised(run(watch(), [1] * 25, requests=1))


def test_a_target_so_low_that_everything_failing_burns_slowly_still_raises() -> None:
    (alert,) = raised(run(watch(Objective(availability=0.9)), [1_000] * 60))
    assert alert.threshold == pytest.approx(8.0)  # 80 % failing; a burn rate of 14.4 would take 144 %
    assert raised(run(watch(Objective(availability=0.9)), [600] * 60)) != [alert]


def test_a_latency_objective_counts_slow_requests_and_says_so() -> None:
    objectives = watch(Objective(latency_ms=300.0))
    slow = {"p50_ms": 400.0, "p90_ms": 500.0, "p95_ms": 600.0, "p99_ms": 700.0, "p999_ms": 700.0, "max_ms": 800.0}
    for index in range(60):
        objectives.learn([(PAY, minute(START_S + 60 * index, **slow))])
    (alert,) = objectives.judge(START_S + 3_600)
    assert (alert.objective, alert.severity) == ("latency", "page")
    # 62 % slow of the 5 % that may be: 12.5 times too fast, which is no matter for the hour's rule.
    assert alert.horizon_s == 21_600
    assert "took longer than 300 ms in the last 6 hours" in alert.reasons[0]
    assert objectives.state()[0].budgets[0].bad > 30_000


def test_what_a_rate_limit_refused_is_neither_good_nor_bad() -> None:
    objectives = watch()
    objectives.learn([(PAY, minute(START_S, 1_000, 10, limited=900))])
    objectives.judge(START_S + 60)
    assert objectives.state()[0].budgets[0].requests == 100


def test_a_restart_goes_on_with_the_open_alert_and_the_same_budget() -> None:
    before = watch()
    told = run(before, [0] * 60 + [500] * 10)
    after, begin_s = watch(), START_S
    after.restore(told[-1:])
    after.learn([(PAY, WindowStats(begin_s, 3_600, 60_000, 0))])
    for index in range(60, 70):
        after.learn([(PAY, minute(begin_s + 60 * index, 1_000, 500))])
    assert raised(after.judge(begin_s + 70 * 60 + 10)) == []
    assert after.state()[0].budgets[0].left == pytest.approx(before.state()[0].budgets[0].left, rel=1e-6)


def test_a_route_has_its_own_objective_and_one_without_any_is_not_watched() -> None:
    objectives = Objectives(ObjectiveSet(None, {"/pay": THREE_NINES}))
    other = msgspec.structs.replace(PAY, route="/else")
    objectives.learn([(PAY, minute(START_S)), (other, minute(START_S))])
    objectives.judge(START_S + 70)
    assert [state.entity for state in objectives.state()] == [PAY]
    assert objectives.budget_left(other) != objectives.budget_left(other)  # NaN: there is none


def test_beyond_the_bound_entities_are_not_watched_and_counted() -> None:
    objectives = watch(entities_max=100)
    for number in range(120):
        objectives.learn([(msgspec.structs.replace(PAY, route=f"/{number}"), minute(START_S, number))])
    objectives.judge(START_S + 70)
    assert (len(objectives.state()), objectives.refused) == (100, 20)
    assert objectives.state()[0].budgets[0].requests == 0


def test_an_entity_that_was_silent_for_its_period_is_forgotten_and_its_place_given_away() -> None:
    objectives = watch(Objective(availability=0.9, period_days=1), entities_max=1)
    objectives.learn([(PAY, minute(START_S, 100, 100))])
    objectives.judge(START_S + 70)
    objectives.judge(START_S + 3 * DAY_S)
    other = msgspec.structs.replace(PAY, route="/else")
    objectives.learn([(other, minute(START_S + 3 * DAY_S))])
    objectives.judge(START_S + 3 * DAY_S + 70)
    assert [(state.entity, state.budgets[0].bad) for state in objectives.state()] == [(other, 0.0)]


def test_a_clock_that_was_set_back_forgets_what_lies_ahead() -> None:
    objectives = watch()
    run(objectives, [1_000] * 30, START_S + 7_200)
    told = run(objectives, [0] * 30, START_S)
    assert [alert.state for alert in told if alert.severity == "page"] == ["closed"]
    (budget,) = objectives.state()[0].budgets
    assert {burn.window_s: burn.bad for burn in budget.burn}[3_600] == 0.0


def test_the_windows_of_the_rules_are_those_of_the_book() -> None:
    assert [(rule.factor, rule.long_s // 60, rule.short_s // 60) for rule in RULES] == [
        (14.4, 60, 5), (6.0, 360, 30), (3.0, 1_440, 120), (1.0, 4_320, 360),
    ]  # fmt: skip
    assert len(WINDOWS_S) == 7
    # The share of 30 days that is spent when a longer window has burnt at the factor, as the book has it.
    assert all(rule.factor * rule.long_s / (30 * DAY_S) == pytest.approx(rule.spent) for rule in RULES)
