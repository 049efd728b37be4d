"""What counts as a failure and which moments are judged: the vectorised definition is that of the live tracker."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.predict.evaluate.making import T0, bad_runs, system

from foregate.predict.evaluate.truth import Causes, bad_minutes, spells_in, truth_of
from foregate.predict.failures import FailureTracker
from foregate.wire.entity import Entity
from foregate.wire.minutes import FaultNote
from foregate.wire.window import WindowStats


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from("....bx"), min_size=1, max_size=90))
def test_onsets_and_healthy_moments_are_those_of_the_live_tracker(minutes: list[str]) -> None:
    """b: bad, x: not recorded."""
    of = system(
        minutes=len(minutes),
        bad=[(0, j) for j, m in enumerate(minutes) if m == "b"],
        gaps=[(0, j) for j, m in enumerate(minutes) if m == "x"],
    )
    tracker, onsets, suspect = FailureTracker(), set(), np.zeros(len(minutes), dtype=bool)
    for j, m in enumerate(minutes):
        if m != "x":
            onset_s = tracker.observe(WindowStats(60.0 * j, 60, requests=600, errors=60 if m == "b" else 0))
            onsets |= {int(onset_s // 60)} if onset_s is not None else set()
        suspect[j] = not tracker.eligible(60.0 * (j + 1))
    spells = spells_in(bad_minutes(of))
    assert set(spells.first[spells.failed].tolist()) == onsets
    truth = truth_of(of, 300)
    assert not (truth.scored[0] & suspect).any()
    assert sorted(truth.onset.tolist()) == sorted(onsets)


def test_bad_is_five_errors_and_five_percent() -> None:
    of = system(minutes=4)
    of.of("errors")[0] = [4, 29, 30, 30]
    of.of("requests")[0] = [10, 600, 600, np.nan]
    assert bad_minutes(of)[0].tolist() == [False, False, True, False]


@pytest.mark.parametrize(("horizon_s", "first"), [(300, 55), (900, 45), (3600, 0)])
def test_labels_are_the_moments_within_a_horizon_before_the_first_bad_minute(horizon_s: int, first: int) -> None:
    truth = truth_of(system(minutes=200, bad=bad_runs((60, 64))), horizon_s)
    assert np.flatnonzero(truth.label[0]).tolist() == list(range(first, 60))


def test_no_moment_in_a_spell_or_ten_minutes_after_is_judged() -> None:
    truth = truth_of(system(minutes=120, bad=bad_runs((40, 41), (46, 50))), 300)
    assert truth.onset.tolist() == [40]  # the stray bad minute belongs to the spell
    silent = np.flatnonzero(~truth.scored[0][:113])
    assert silent.tolist() == list(range(40, 59))  # the last bad minute ends at 50; from 60 on a new one could begin


def test_no_moment_is_judged_whose_outcome_lies_beyond_the_recording() -> None:
    assert np.flatnonzero(truth_of(system(minutes=100), 900).scored[0]).max() == 100 - 15 - 3


def test_two_bad_minutes_are_no_failure() -> None:
    truth = truth_of(system(bad=bad_runs((40, 42), (45, 47))), 900)
    assert not truth.label.any()
    assert truth.onset.size == 0


def test_what_was_not_recorded_is_not_judged_and_a_spell_goes_on_across_a_short_gap() -> None:
    gap = [(0, j) for j in range(50, 56)]
    truth = truth_of(system(minutes=120, bad=bad_runs((46, 50), (56, 60)), gaps=gap), 300)
    assert truth.onset.tolist() == [46]
    assert not truth.scored[0][46:69].any()


def test_a_failure_first_seen_after_a_gap_begins_there_and_counts_only_if_it_could_be_foreseen() -> None:
    unseen = truth_of(system(bad=bad_runs((60, 64)), gaps=[(0, j) for j in range(30, 60)]), 900)
    assert (unseen.onset.tolist(), unseen.counted.tolist()) == ([60], [False])
    seen = truth_of(system(bad=bad_runs((60, 64)), gaps=[(0, j) for j in range(58, 60)]), 900)
    assert (seen.onset.tolist(), seen.counted.tolist()) == ([60], [True])


def test_a_moment_is_not_judged_when_most_of_what_followed_is_unknown() -> None:
    truth = truth_of(system(minutes=120, gaps=[(0, j) for j in range(50, 54)]), 900)
    assert not truth.scored[0][40:50].any()  # 4 of 15 minutes are more than a fifth
    assert truth.scored[0][30]


def test_a_failure_at_the_very_end_is_neither_missed_nor_a_false_alarm() -> None:
    truth = truth_of(system(minutes=100, bad=bad_runs((97, 100))), 900)
    assert (truth.onset.tolist(), truth.counted.tolist()) == ([97], [True])
    late = truth_of(system(minutes=100, bad=bad_runs((98, 100))), 900)
    assert late.onset.size == 0  # two bad minutes prove nothing


def test_the_first_failure_of_each_entity_is_marked() -> None:
    bad = [*bad_runs((40, 44), (90, 94)), *bad_runs((60, 64), entity=1)]
    truth = truth_of(system(entities=2, minutes=150, bad=bad), 900)
    assert truth.first.tolist() == [True, False, True]


def test_causes_are_found_in_a_large_system_whose_services_call_each_other_in_circles() -> None:
    names = [f"s{i}" for i in range(300)]
    calls = {(name, names[(i + step) % 300]) for i, name in enumerate(names) for step in range(1, 11)}
    causes = Causes([FaultNote("leak", "s299", T0, 600.0)] * 50, calls)
    assert {causes.of(Entity("acme", name, "/x", "prod"), T0 + 60.0 * j) for name in names for j in range(4)} == {
        "leak"
    }


def test_the_cause_is_a_harmful_fault_of_the_own_service_then_of_one_it_calls() -> None:
    own = FaultNote("brownout", "a", T0, 600)
    called = FaultNote("crash", "b", T0 + 100, 600)
    other = FaultNote("pool", "c", T0 + 200, 600)
    benign = FaultNote("batch", "a", T0 + 300, 600, benign=True)
    entity, calls = Entity("o", "a", "/", "prod"), frozenset({("a", "x"), ("x", "b")})
    assert Causes((own, called, other, benign), calls).of(entity, T0 + 400) == "brownout"
    assert Causes((called, other, benign), calls).of(entity, T0 + 400) == "crash"
    assert Causes((other, benign), calls).of(entity, T0 + 400) == "pool"
    assert Causes((benign,), calls).of(entity, T0 + 400) == ""
    assert Causes((own,), calls).of(entity, T0 + 9_000) == ""
