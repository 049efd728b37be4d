import math

from bench.report import Goal, percentile, slope


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(each) for each in range(1, 101)]
    assert percentile(values, 50) == 50.0
    assert percentile(values, 99) == 99.0
    assert percentile([3.0], 99.9) == 3.0
    assert math.isnan(percentile([], 50))


def test_a_slope_is_that_of_the_line_and_nothing_for_one_point() -> None:
    assert slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == 2.0
    assert slope([(0.0, 5.0), (1.0, 5.0)]) == 0.0
    assert slope([(1.0, 1.0)]) == 0.0


def test_a_goal_is_met_on_its_bound_and_missed_beyond_it_and_by_nothing_at_all() -> None:
    assert Goal("x", 1.5, most=1.5).met
    assert not Goal("x", 1.51, most=1.5).met
    assert not Goal("x", 0.98, least=0.99, most=1.01).met
    assert not Goal("x", float("nan"), most=1.0).met
