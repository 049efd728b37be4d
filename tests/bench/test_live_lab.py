"""The live lab bench: which worlds it plays, how it judges what was said of them, and when it believes itself."""

import math
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from bench.live_lab import code_of
from bench.live_lab_judge import Minute, Said, judge
from bench.live_lab_load import Load, Watch
from bench.live_lab_plan import Choice, Planned, batches, gradual_kinds, plan
from bench.live_lab_table import sums, table, wilson
from bench.live_lab_worlds import Slice
from hypothesis import given
from hypothesis import strategies as st

from foregate.lab import Fault, Scenario

CHOICE = Choice(kinds=("memory_leak", "brownout"), seeds=3, calm=2)
PLACE = ("payments-w000", "/w000/payments")
OTHER = ("search-w000", "/w000/search")
BEGUN_S = 1_000_040.0  # not on the minute
FAULTY = Planned("w000", 7, Scenario(1, duration_s=1_800.0, faults=(Fault("brownout", "payments", 300.0, 1_800.0),)))
CALM = replace(FAULTY, scenario=FAULTY.scenario.without_faults())


def test_the_plan_has_each_kind_as_often_and_the_same_worlds_without_their_fault() -> None:
    runs = plan(CHOICE)
    faulty = [run for run in runs if run.fault is not None]
    assert runs == plan(CHOICE)
    assert [run.fault.kind for run in faulty if run.fault] == ["memory_leak", "brownout"] * 3
    assert len({run.world for run in runs}) == len(runs) == 8
    for calm, same in zip(runs[6:], faulty, strict=False):
        assert (calm.fault, calm.seed) == (None, same.seed)
        assert calm.scenario == replace(same.scenario, faults=(), duration_s=CHOICE.calm_s)
    for run in faulty:
        assert run.fault is not None
        assert 0.2 <= run.fault.severity <= 0.9
        assert run.fault.start_s >= CHOICE.quiet_s
        assert run.scenario.duration_s > run.fault.start_s + run.fault.reach_s
    assert "batch_job" not in gradual_kinds()


@given(st.integers(1, 12))
def test_batches_hold_every_run_once_and_never_too_many(side_by_side: int) -> None:
    runs = plan(CHOICE)
    parts = batches(runs, side_by_side)
    assert sorted(run.world for part in parts for run in part) == [run.world for run in runs]
    assert max(map(len, parts)) <= side_by_side
    lengths = [run.scenario.duration_s for part in parts for run in part]
    assert lengths == sorted(lengths)


def minutes(bad: set[int], count: int = 40) -> list[Minute]:
    """Minutes on the grid, from before the world began until after its end."""
    return [(999_900.0 + 60 * n, 100, 20 if n in bad else 0) for n in range(count)]


def said(after_s: float, place: tuple[str, str] = PLACE) -> Said:
    return Said(place, BEGUN_S + after_s, 900.0, 0.6, ("p95 has grown",))


def test_an_alert_before_the_first_failing_minute_is_foreseen_and_its_lead_is_to_that_minutes_start() -> None:
    found = judge(FAULTY, BEGUN_S, {PLACE: minutes({12, 14, 15, 16})}, [said(400.0), said(1_300.0)], {})
    assert (found.kind, found.service, found.route) == ("brownout", "payments", PLACE[1])
    assert found.onset_s == 580.0  # the stray bad minute before the three in a row belongs to them
    assert (found.alert_s, found.lead_s, found.in_time) == (400.0, 180.0, True)
    assert [alarm.verdict for alarm in found.alarms] == ["foreseen", "after"]
    late = judge(FAULTY, BEGUN_S, {PLACE: minutes({12, 13, 14})}, [said(530.0)], {})
    assert (late.lead_s, late.in_time) == (50.0, False)


def test_an_alert_on_another_route_foresees_nothing_and_what_nothing_followed_is_false() -> None:
    found = judge(FAULTY, BEGUN_S, {PLACE: minutes({12, 13, 14}), OTHER: minutes(set())}, [said(400.0, OTHER)], {})
    assert (found.alert_s, found.lead_s, found.routes) == (None, None, 2)
    assert found.count("false") == 1
    early = judge(FAULTY, BEGUN_S, {PLACE: minutes({30, 31, 32})}, [said(100.0)], {})
    assert [alarm.verdict for alarm in early.alarms] == ["false"]


def test_a_run_that_ends_before_the_horizon_leaves_an_alert_undecided_but_not_without_a_fault() -> None:
    alert = [said(1_000.0), said(1_900.0)]
    assert [a.verdict for a in judge(FAULTY, BEGUN_S, {PLACE: minutes(set())}, alert, {}).alarms] == ["undecided"]
    assert [a.verdict for a in judge(CALM, BEGUN_S, {PLACE: minutes(set())}, alert, {}).alarms] == ["false"]


def test_minutes_beyond_the_runs_end_do_not_count() -> None:
    found = judge(FAULTY, BEGUN_S, {PLACE: minutes({33, 34, 35})}, [], {})
    assert (found.onset_s, found.requests) == (None, 30 * 100)


def test_other_thresholds_are_tried_on_the_scores_with_one_page_per_horizon() -> None:
    scores = {PLACE: [(BEGUN_S + 10.0 * n, 0.001 * n) for n in range(100)]}
    found = judge(FAULTY, BEGUN_S, {PLACE: minutes({12, 13, 14})}, [], scores)
    by_threshold = {each.threshold: each for each in found.swept}
    assert (by_threshold[0.05].lead_s, by_threshold[0.05].false_alarms) == (80.0, 0)
    assert by_threshold[0.9].lead_s is None
    calm = judge(CALM, BEGUN_S, {PLACE: minutes(set())}, [], {PLACE: [(BEGUN_S + 10.0 * n, 0.5) for n in range(100)]})
    assert {each.threshold: each.false_alarms for each in calm.swept}[0.5] == 2


def test_the_sums_count_failures_leads_and_alarms() -> None:
    runs = [
        judge(FAULTY, BEGUN_S, {PLACE: minutes({12, 13, 14})}, [said(400.0)], {}),
        judge(FAULTY, BEGUN_S, {PLACE: minutes({12, 13, 14})}, [], {}),
        judge(FAULTY, BEGUN_S, {PLACE: minutes(set())}, [said(100.0)], {}),
    ]
    found = sums(runs)
    assert (found["runs"], found["failed"], found["foreseen"], found["in_time"]) == (3, 2, 1, 1)
    assert (found["median_lead_s"], found["false_alarms"], found["route_hours"]) == (180.0, 1, 1.5)
    assert "brownout" in table(["brownout"], runs)


def test_an_interval_of_a_share_holds_it_and_stays_within_0_and_1() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(10, 20)
    assert (round(low, 3), round(high, 3)) == (0.299, 0.701)
    for count in (0, 20):
        low, high = wilson(count, 20)
        assert -1e-9 <= low <= count / 20 <= high <= 1.0 + 1e-9


WELL = Load(
    own=0.5,
    busy=1.0,  # by others, who do not get in the way as long as the loops are on time
    stolen=0.0,
    cores={},
    rss_mb={},
    late_p50_ms=0.0,
    late_p95_ms=3.0,
    late_max_ms=40.0,
    late_slices=0.01,
    shed=0,
)


@pytest.mark.parametrize(
    "ill", [{"own": 0.95}, {"stolen": 0.05}, {"late_slices": 0.2}, {"late_slices": math.nan}, {"shed": 3}], ids=str
)
def test_an_overloaded_machine_makes_a_batch_invalid(ill: dict[str, float]) -> None:
    assert WELL.complaints() == []
    assert len(msgspec.structs.replace(WELL, **ill).complaints()) == 1


def test_the_watch_counts_late_slices_and_visits_that_were_not_sent() -> None:
    watch = Watch({"me": os.getpid()})
    sum(range(300_000))
    watch.look()
    slices = [Slice(10.0 * n, 1.0, 50.0 if n == 0 else 4.0, 90.0, 0.2, n % 2) for n in range(10)]
    load = watch.load(slices)
    assert (load.late_slices, load.late_p95_ms, load.late_max_ms, load.shed) == (0.1, 50.0, 90.0, 5)
    assert 0.0 < load.own <= 1.0
    assert load.rss_mb["me"] > 10.0
    assert math.isnan(watch.load([]).late_slices)


def test_results_of_other_code_are_not_taken_for_those_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.py").write_text("1")
    before = code_of(tmp_path, "**/*.py")
    (tmp_path / "note.txt").write_text("beside it")
    assert code_of(tmp_path, "**/*.py") == before
    (tmp_path / "sub" / "a.py").write_text("2")
    changed = code_of(tmp_path, "**/*.py")
    (tmp_path / "sub" / "a.py").rename(tmp_path / "sub" / "b.py")
    assert len({before, changed, code_of(tmp_path, "**/*.py")}) == 3
