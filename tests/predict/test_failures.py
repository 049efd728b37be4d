"""What a failure is: three bad minutes in a row after ten good ones, from the first bad minute of the spell."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.predict.making import PAY, T0

from foregate.predict.evaluate.truth import spells_in
from foregate.predict.failures import Failures, FailureTracker
from foregate.wire.entity import Entity
from foregate.wire.window import WindowStats


def minute(i: int, bad: bool) -> WindowStats:
    return WindowStats(T0 + 60 * i, 60, requests=100, errors=20 if bad else 0)


def onsets(pattern: str) -> list[float]:
    """The onsets (in minutes) of a series written as x for bad, . for good, _ for a minute without traffic."""
    tracker = FailureTracker()
    found = [tracker.observe(minute(i, mark == "x")) for i, mark in enumerate(pattern) if mark != "_"]
    return [(onset - T0) / 60 for onset in found if onset is not None]


def test_three_bad_minutes_in_a_row_are_a_failure_that_began_with_the_first() -> None:
    assert onsets("............xxx") == [12]


def test_two_are_none() -> None:
    assert onsets("............xx.xx.") == []


def test_a_stray_bad_minute_shortly_before_belongs_to_the_failure() -> None:
    assert onsets("............x....xxxx") == [12]


def test_after_ten_good_minutes_a_new_failure_can_begin() -> None:
    assert onsets("xxx..........xxx") == [0, 13]
    assert onsets("xxx.........xxx") == [0]


def test_a_failure_at_the_very_start_counts_though_its_good_past_is_short() -> None:
    assert onsets("..xxxxxx") == [2]


def test_a_minute_without_traffic_breaks_the_row() -> None:
    assert onsets("............xx_x") == []


@given(st.lists(st.sampled_from("x..._"), max_size=80))
def test_following_live_and_looking_back_agree(marks: list[str]) -> None:
    spells = spells_in(np.array([[mark == "x" for mark in marks]], dtype=bool))
    back = spells.first[spells.failed].tolist()
    assert onsets("".join(marks)) == back


@given(st.lists(st.sampled_from("x...."), max_size=80))
def test_no_failure_can_begin_within_ten_minutes_of_a_bad_one(marks: list[str]) -> None:
    failures = Failures()
    last_bad = None
    for i, mark in enumerate(marks):
        failures.observe(PAY, minute(i, mark == "x"))
        last_bad = i if mark == "x" else last_bad
        assert failures.eligible(PAY, T0 + 60 * (i + 1)) == (last_bad is None or i - last_bad >= 10)


def test_those_that_died_in_a_bad_spell_are_forgotten_at_the_bound_the_oldest_first() -> None:
    failures = Failures(entities_max=3)
    dying = [Entity("o", "s", f"/{i}", "e") for i in range(5)]
    for entity in dying:
        failures.observe(entity, minute(0, bad=True))
    assert len(failures) == 3
    assert [failures.eligible(entity, T0 + 120) for entity in dying] == [True, True, False, False, False]


def test_a_spell_of_before_the_clock_was_set_back_ends_with_the_first_minute_after_it() -> None:
    failures = Failures()
    for i in range(3):
        failures.observe(PAY, minute(i, bad=True))
    assert not failures.eligible(PAY, T0 - 7_200)
    failures.observe(PAY, minute(-120, bad=False))
    assert failures.eligible(PAY, T0 - 7_140)
    assert (len(failures), failures.suspect_since_s(PAY)) == (0, None)
