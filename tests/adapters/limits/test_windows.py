"""Windows and their counts in one number; periods of the calendar."""

import calendar
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.adapters.embedded.limits.rules import windows
from foregate.adapters.embedded.limits.rules.calendar_window import period
from foregate.adapters.embedded.limits.rules.windows import SPAN, WINDOWS

WINDOW = st.integers(0, 1 << 40)


def add(cell: float, window: int, units: float) -> float:
    odd = window & 1
    return windows.with_more((cell, cell), 0, odd, windows.base_of(window), units)[odd]


def count(pair: tuple[float, ...], window: int) -> float:
    return windows.count(pair, window & 1, windows.base_of(window))


@given(WINDOW, st.lists(st.integers(1, 1 << 28), max_size=15))
def test_what_is_added_is_counted_exactly_and_in_no_other_window_near(window: int, added: list[int]) -> None:
    cell = 0.0
    for units in added:
        cell = add(cell, window, float(units))
    pair = (0.0, cell) if window & 1 else (cell, 0.0)
    assert count(pair, window) == sum(added)
    assert [count(pair, window + step) for step in (-2, -1, 1, 2, WINDOWS - 1)] == [0.0] * 5


@given(WINDOW)
def test_a_count_stops_at_its_bound_instead_of_running_into_the_next_window(window: int) -> None:
    cell = add(add(0.0, window, SPAN - 2.0), window, 1e9)
    pair = (0.0, cell) if window & 1 else (cell, 0.0)
    assert count(pair, window) == SPAN - 1.0
    assert count(pair, window + 2) == 0.0


def test_merging_keeps_the_newest_window_of_either_kind() -> None:
    cells = (add(0.0, 8, 5.0), add(0.0, 7, 2.0), add(0.0, 6, 100.0), 0.0)
    cells += (add(0.0, 8, 1.0), add(0.0, 7, 3.0))
    merged = windows.merge(cells)
    assert [count(merged, window) for window in (8, 7, 6)] == [6.0, 5.0, 0.0]


@given(st.floats(0.0, 7e9), st.booleans())
def test_a_period_holds_its_moment_and_begins_and_ends_at_midnight(wall_s: float, month: bool) -> None:
    number, start_s, end_s = period(wall_s, month)
    assert start_s <= wall_s < end_s
    assert period(end_s, month)[0] == number + 1
    begins, ends = time.gmtime(start_s), time.gmtime(end_s)
    assert (begins.tm_hour, ends.tm_hour, begins.tm_min, ends.tm_sec) == (0, 0, 0, 0)
    if month:
        assert (begins.tm_mday, ends.tm_mday) == (1, 1)
        assert end_s - start_s == calendar.monthrange(begins.tm_year, begins.tm_mon)[1] * 86_400


@pytest.mark.parametrize(("date", "days"), [((2024, 2, 29), 29), ((2023, 2, 1), 28), ((2023, 12, 31), 31)])
def test_months_are_as_long_as_they_are(date: tuple[int, int, int], days: int) -> None:
    _, start_s, end_s = period(calendar.timegm((*date, 23, 59, 59)), True)
    assert end_s - start_s == days * 86_400
