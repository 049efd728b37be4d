"""The panel: bounded, gaps stay gaps, clocks that jump, the entity unheard of for longest goes first."""

import random

import numpy as np
import pytest
from tests.predict.making import PAY, T0, Shape, minutes, panel_of, window

from foregate.predict.panel import QUARTERS, SPAN, Panel
from foregate.predict.season import QUARTER_S
from foregate.predict.usual import METRIC
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, row_of

NAN = float("nan")


def usual_p50(panel: Panel) -> float:
    return float(panel.usual(panel.slots([PAY])).median[0, METRIC["p50_ms"]])


def test_what_is_usual_is_the_median_of_the_older_minutes() -> None:
    panel = panel_of(minutes(30, Shape(p50_ms=lambda m: 50.0 if m < 15 else 500.0)))
    assert usual_p50(panel) == pytest.approx(50.0)
    assert panel.usual(panel.slots([PAY])).minutes.tolist() == [15]


def test_minutes_without_traffic_and_failing_ones_never_become_the_usual() -> None:
    silent = panel_of(minutes(30, Shape(requests=lambda m: 0.0)))
    assert silent.usual(silent.slots([PAY])).minutes.tolist() == [0]
    burning = panel_of(minutes(30, Shape(error_share=lambda m: 0.2)))
    assert np.isnan(usual_p50(burning))


def test_a_minute_given_twice_counts_once() -> None:
    panel = panel_of(minutes(10, Shape()))
    assert panel.learn(T0 + 9 * 60, {PAY: row_of(window(T0 + 9 * 60, 60, Shape()))}) == []
    assert panel.usable_minutes(panel.slots([PAY])).tolist() == [10]


def test_a_clock_that_went_back_forgets_what_is_later_and_learns_on() -> None:
    panel = panel_of(minutes(120, Shape(p50_ms=lambda m: 500.0)))
    back = panel_of(minutes(5, Shape(), start_s=T0 + 3600), panel)
    assert back.usable_minutes(back.slots([PAY])).tolist() == [65]
    far = panel_of(minutes(5, Shape(), start_s=T0 - 7 * 86_400), back)
    assert far.usable_minutes(far.slots([PAY])).tolist() == [5]
    assert usual_p50(far) == pytest.approx(50.0)


def test_a_clock_that_jumps_ahead_leaves_nothing_to_compare_with() -> None:
    panel = panel_of(minutes(20, Shape()))
    ahead = panel_of(minutes(1, Shape(), start_s=T0 + 3 * 86_400), panel)
    assert ahead.usable_minutes(ahead.slots([PAY])).tolist() == [1]
    assert np.isnan(usual_p50(ahead))


def test_the_past_is_bounded_whatever_comes() -> None:
    panel = panel_of(minutes(2 * SPAN, Shape()))
    assert SPAN - 60 < int(panel.usable_minutes(panel.slots([PAY]))[0]) <= SPAN
    assert panel.usual(panel.slots([PAY])).minutes.tolist() == [225]


def test_the_entity_unheard_of_for_longest_is_forgotten_first() -> None:
    panel = Panel(entities_max=2)
    first, second, third = (Entity("o", "s", f"/{i}", "e") for i in range(3))
    for entity, start in ((first, 0), (second, 0), (first, 1), (third, 1)):
        panel.learn(T0 + 60 * start, {entity: row_of(window(T0 + 60 * start, 60, Shape()))})
    assert (first in panel, second in panel, third in panel) == (True, False, True)
    assert panel.usable_minutes(panel.slots([third])).tolist() == [1]


def test_the_same_time_yesterday_and_a_week_ago_is_remembered_and_what_is_older_is_not() -> None:
    panel = Panel()
    for day, rps in ((8, 99.0), (7, 10.0), (1, 20.0)):
        panel.learn_quarters(T0 // QUARTER_S * QUARTER_S - day * 86_400, {PAY: (rps, 100.0, 0.0)})
    panel.learn(T0, {PAY: row_of(window(T0, 60, Shape()))})
    assert float(panel.season(panel.slots([PAY]), T0 + 60)[0, 0]) == pytest.approx(15.0)


def test_quarters_of_eight_days_ago_are_gone_when_the_analyzer_was_away_since() -> None:
    panel = Panel()
    panel.learn_quarters(0, {PAY: (5.0, 100.0, 0.0)})
    panel.learn_quarters(QUARTERS * QUARTER_S + 96 * QUARTER_S, {PAY: (6.0, 100.0, 0.0)})
    assert np.isnan(panel.season(panel.slots([PAY]), (QUARTERS + 96.5) * QUARTER_S)[0, 0])


def test_many_entities_are_learned_as_one_would_be() -> None:
    rng = random.Random(3)
    runs = {Entity("o", "s", f"/{i}", "e"): minutes(40, Shape(), rng) for i in range(70)}
    together = Panel()
    for i in range(40):
        together.learn(T0 + 60 * i, {entity: row_of(run[i][1]) for entity, run in runs.items()})
        together.renew(T0 + 60 * (i + 1))
    for entity, run in list(runs.items())[::23]:
        alone = Panel()
        for i, (_, minute) in enumerate(run):
            alone.learn(T0 + 60 * i, {entity: row_of(minute)})
            alone.renew(T0 + 60 * (i + 1))
        a, b = alone.usual(alone.slots([entity])), together.usual(together.slots([entity]))
        assert np.array_equal(a.median, b.median, equal_nan=True)
        assert np.array_equal(a.spread, b.spread, equal_nan=True)


def test_a_row_has_a_place_for_every_column_and_nan_for_what_is_not_known() -> None:
    row = row_of(window(T0, 60, Shape()), {"quota_left": 0.25})
    assert len(row) == len(COLUMNS)
    assert row[COLUMNS.index("quota_left")] == 0.25
    assert row[COLUMNS.index("tokens")] != row[COLUMNS.index("tokens")]


def test_more_entities_than_there_was_room_for_bring_their_stored_quarters() -> None:
    panel, quarter_s = Panel(), T0 // QUARTER_S * QUARTER_S - 86_400
    stored = {Entity("o", "s", f"/{i}", "e"): (float(i), 100.0, 0.0) for i in range(200)}
    panel.learn_quarters(quarter_s, stored)
    assert panel.season(panel.slots(stored), T0 + 60)[:, 0].tolist() == list(range(200))


def test_numbers_beyond_half_precision_are_kept_as_the_most_it_holds() -> None:
    panel = Panel()
    panel.learn_quarters(T0 // QUARTER_S * QUARTER_S - 86_400, {PAY: (1e9, 1e300, NAN)})
    rps, p95_ms, error_rate = panel.season(panel.slots([PAY]), T0 + 60)[0].tolist()
    assert 50_000 < rps == p95_ms < 65_504
    assert error_rate != error_rate


def test_what_no_single_precision_can_hold_is_not_known() -> None:
    panel, row = Panel(), list(row_of(window(T0, 60, Shape())))
    row[COLUMNS.index("p95_ms")], row[COLUMNS.index("mean_ms")] = 1e300, float("inf")
    for i in range(15):
        panel.learn(T0 + 60 * i, {PAY: row})
        panel.renew(T0 + 60 * (i + 1))
    median = panel.usual(panel.slots([PAY])).median[0]
    assert np.isnan(median[[METRIC["p95_ms"], METRIC["mean_ms"], METRIC["concurrency"]]]).all()
    assert median[METRIC["p50_ms"]] == pytest.approx(50.0)


def test_more_entities_in_a_minute_than_it_holds_leave_the_last_ones_with_their_own_numbers() -> None:
    panel = Panel(entities_max=3)
    entities = [Entity("o", "s", f"/{i}", "e") for i in range(5)]
    for i in range(3):
        shapes = [Shape(p50_ms=lambda m, k=k: 10.0 + k) for k in range(5)]
        rows = {e: row_of(window(T0 + 60 * i, 60, shape)) for e, shape in zip(entities, shapes, strict=True)}
        assert panel.learn(T0 + 60 * i, rows) == entities[2:]
    panel.renew(T0 + 180)
    p50 = panel.trailing(panel.slots(entities[2:]), T0 + 180, 1)[:, COLUMNS.index("p50_ms"), 0]
    assert p50.tolist() == [12.0, 13.0, 14.0]


def test_after_a_long_absence_nothing_of_before_is_the_usual_any_more() -> None:
    panel = panel_of(minutes(120, Shape()))
    panel_of(minutes(1, Shape(), start_s=T0 + 3 * 86_400), panel)
    assert panel.usual(panel.slots([PAY])).minutes.tolist() == [0]
    assert np.isnan(usual_p50(panel))


def test_levels_made_at_once_are_those_that_were_made_minute_by_minute() -> None:
    past, stored = minutes(200, Shape(), random.Random(3)), Panel()
    for entity, minute in past:
        stored.learn(minute.start_s, {entity: row_of(minute)})
        stored.close_quarter(minute.start_s + 60)
    stored.settle()
    live = panel_of(past)
    slot = live.slots([PAY])
    assert np.array_equal(stored.usual(slot).median, live.usual(slot).median, equal_nan=True)
    assert stored.usual(slot).minutes.tolist() == live.usual(slot).minutes.tolist()
    assert stored.known_hours(slot, T0 + 12_000).tolist() == live.known_hours(slot, T0 + 12_000).tolist()


def test_a_quarter_that_is_read_late_pushes_nobody_out_and_empties_nothing() -> None:
    panel, quarter_s = Panel(entities_max=2), T0 // QUARTER_S * QUARTER_S
    gone, other = Entity("o", "gone", "/", "e"), Entity("o", "other", "/", "e")
    day_ago, week_ago = quarter_s - 86_400, quarter_s - 7 * 86_400
    panel.learn_quarters(day_ago, {PAY: (5.0, 90.0, 0.0), other: (7.0, 90.0, 0.0)})
    panel.learn_quarters(week_ago, {gone: (1.0, 10.0, 0.0), PAY: (15.0, 70.0, 0.0)})
    panel.learn_quarters(quarter_s - 8 * 86_400, {PAY: (99.0, 99.0, 0.0)})
    assert gone not in panel
    assert panel.season(panel.slots([PAY, other]), T0 + 60)[:, 0].tolist() == [10.0, 7.0]


def test_who_is_asked_at_odd_minutes_only_has_quarters_and_levels_too() -> None:
    sparse, start_s = Panel(), T0 // QUARTER_S * QUARTER_S + 60
    for i in range(5 * 12):  # the whole gateway is asked every fifth minute, and never when anything is due
        minute_s = start_s + 300 * i
        sparse.learn(minute_s, {PAY: row_of(window(minute_s, 60, Shape(p50_ms=lambda m: 50.0 if m < 100 else 500.0)))})
        sparse.renew(minute_s + 60)
    slot = sparse.slots([PAY])
    assert 4.5 <= float(sparse.known_hours(slot, minute_s + 60)[0]) <= 5
    assert usual_p50(sparse) == pytest.approx(500.0), "of the last four hours"


def test_a_late_minute_makes_no_level_older_and_counts_in_the_next_one() -> None:
    late, run = Entity("o", "late", "/", "e"), minutes(52, Shape(p50_ms=lambda m: 50.0 + m), random.Random(5))
    panel, prompt = panel_of(run), panel_of(run)
    before = panel.usual(panel.slots([PAY])).median.tolist()
    panel.learn(T0 + 60 * 45, {late: row_of(window(T0 + 60 * 45, 60, Shape()))})  # ends at a minute when levels are due
    panel.renew(T0 + 60 * 46)
    assert panel.usual(panel.slots([PAY])).median.tolist() == before
    for i in (52, 53):
        [(_, minute)] = minutes(1, Shape(), start_s=T0 + 60 * i)
        for each in (panel, prompt):
            each.learn(minute.start_s, {PAY: row_of(minute)})
            each.renew(minute.start_s + 60)
    assert panel.usual(panel.slots([PAY])).median.tolist() == prompt.usual(prompt.slots([PAY])).median.tolist()


def test_whoever_comes_late_for_the_renewal_is_levelled_with_its_next_minute() -> None:
    run = minutes(60, Shape(p50_ms=lambda m: 50.0 + m), random.Random(5))
    due = next(i for i in range(50, 60) if (T0 // 60 + i) % 5 == 0)
    other, late, prompt = Entity("o", "s", "/", "e"), panel_of(run[: due - 1]), panel_of(run[:due])
    panel_of([(other, window(T0 + 60 * (due - 1), 60, Shape()))], late)
    panel_of(run[due - 1 : due], late)
    assert usual_p50(late) == usual_p50(prompt)


def test_a_quiet_night_is_no_reason_to_be_learning_again() -> None:
    panel, quarter_s = Panel(), T0 // QUARTER_S * QUARTER_S
    for back in (4, 60, 300):
        panel.learn_quarters(quarter_s - back * QUARTER_S, {PAY: (5.0, 90.0, 0.0)})
    young = Entity("o", "young", "/", "e")
    panel.learn_quarters(quarter_s - QUARTER_S, {young: (5.0, 90.0, 0.0)})
    assert panel.known_hours(panel.slots([PAY, young]), quarter_s + 60).tolist() == [24.0, 0.25]


def test_the_silence_of_one_whose_minutes_come_late_is_not_believed_for_an_hour() -> None:
    panel, other = Panel(), Entity(PAY.org, "ledger", "/", PAY.environment)
    foreign = Entity("another", "ledger", "/", PAY.environment)
    row = row_of(window(T0, 60, Shape()))

    def hear(minute: int, *entities: Entity) -> None:
        panel.learn(T0 + 60 * minute, dict.fromkeys(entities, row))
        panel.fall_silent(T0 + 60 * minute, entities)

    def requests(entity: Entity, minute: int) -> float:
        rows = panel.trailing(panel.slots([entity]), T0 + 60 * minute + 60, 1)
        return float(rows[0, COLUMNS.index("requests"), 0])

    hear(0, PAY, other, foreign)
    hear(1, other)
    assert requests(PAY, 1) == 0
    assert np.isnan(requests(foreign, 1))  # nobody of its organisation was heard of
    hear(2, other)
    hear(1, PAY)  # late
    assert requests(PAY, 1) > 0
    hear(3, other)
    assert np.isnan(requests(PAY, 3))
    hear(63, other)
    assert requests(PAY, 63) == 0
