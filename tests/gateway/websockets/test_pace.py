"""A client's rates hold over time, with a second's worth in advance."""

import pytest

from foregate.gateway.websockets.pace import Pace


def test_nothing_is_held_where_no_rate_is_set() -> None:
    assert Pace.of(None, None) is None


def test_the_first_second_is_free_and_after_it_the_wait_makes_up_for_what_came() -> None:
    pace = Pace(10.0, None)
    assert pace.take(100.0, 10, 0) == pytest.approx(0.0)
    assert pace.take(100.0, 15, 0) == pytest.approx(0.5)
    assert pace.take(100.5, 15, 0) == pytest.approx(0.0)
    assert pace.take(200.0, 25, 0) == pytest.approx(0.0)  # what was not used is not saved up beyond a second


def test_the_tighter_rate_decides() -> None:
    pace = Pace(1_000.0, 100.0)
    assert pace.take(5.0, 1, 300) == pytest.approx(2.0)
