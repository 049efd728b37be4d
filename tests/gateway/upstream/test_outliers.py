"""Outlier detection as a decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.upstream.health.outliers import EJECTIONS_MAX, Ejection, Figures, outliers
from foregate.wire.snapshot import OutlierDetection

SETTINGS = OutlierDetection(requests_min=10, error_rate=0.5, slower_than=3.0, ejected_max=0.5)


def figures(answers: int = 100, failures: int = 0, mean_s: float = 0.01, ejected: bool = False) -> Figures:
    return Figures(answers, failures, mean_s * (answers - failures), ejected)


def found(*each: Figures, settings: OutlierDetection = SETTINGS) -> list[int]:
    return [outlier.at for outlier in outliers(each, settings)]


def test_who_fails_too_often_is_ejected_and_the_reason_is_said() -> None:
    each = [figures(), figures(failures=50), figures(failures=49)]
    assert [(outlier.at, outlier.reason) for outlier in outliers(each, SETTINGS)] == [(1, "50% of 100 failed")]


def test_who_is_much_slower_than_the_others_median_is_ejected() -> None:
    assert found(figures(), figures(mean_s=0.012), figures(mean_s=0.04)) == [2]
    assert found(figures(), figures(mean_s=0.012), figures(mean_s=0.03)) == []


def test_without_slower_than_latency_is_not_judged() -> None:
    assert found(figures(), figures(mean_s=9.0), settings=OutlierDetection()) == []


def test_who_had_too_few_requests_is_not_judged() -> None:
    assert found(figures(), figures(answers=9, failures=9)) == []


def test_the_worst_go_first_and_never_more_than_the_share_that_may() -> None:
    assert found(figures(failures=60), figures(failures=100), figures(failures=80), figures()) == [1, 2]
    assert found(figures(failures=60), figures(ejected=True), figures(failures=80), figures()) == [2]
    assert found(figures(failures=100), figures(ejected=True)) == []


def test_an_only_target_is_never_ejected() -> None:
    assert found(figures(failures=100)) == []


@given(
    st.lists(st.builds(figures, st.just(50), st.integers(0, 50), st.floats(0.001, 1.0), st.booleans()), max_size=12),
    st.floats(0.0, 1.0),
)
def test_the_share_that_is_away_never_exceeds_its_bound(each: list[Figures], ejected_max: float) -> None:
    settings = OutlierDetection(requests_min=1, error_rate=0.1, slower_than=1.1, ejected_max=ejected_max)
    away = sum(target.ejected for target in each)
    chosen = found(*each, settings=settings)
    assert len(chosen) == len(set(chosen)) <= max(0, int(ejected_max * len(each)) - away)
    assert not any(each[at].ejected for at in chosen)


def test_an_ejection_lasts_longer_each_time_up_to_a_bound_and_is_forgotten_by_doing_well() -> None:
    record, now_s = Ejection(), 0.0
    for times in range(1, EJECTIONS_MAX + 3):
        lasts_s = record.eject(now_s, 30.0)
        assert lasts_s == 30.0 * min(times, EJECTIONS_MAX)
        assert not record.returns(now_s + lasts_s - 0.1)
        now_s += lasts_s
        assert record.returns(now_s)
        assert not record.returns(now_s)  # once
    for _ in range(EJECTIONS_MAX):
        record.did_well()
    assert record.eject(now_s, 30.0) == pytest.approx(30.0)
