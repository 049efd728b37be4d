"""Forecasts of small synthetic series: who wins, how sure it is, and what is said where nothing can be said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.predict.forecast import DAY, BudgetNow, Plan, Subject, forecast, regular
from foregate.predict.forecast.backtest import offsets, origins, tried, wider
from foregate.predict.forecast.broken import when_broken
from foregate.predict.forecast.models import Model, seasonal_mean, seasonal_naive, simple_models
from foregate.predict.forecast.series import Series, filled
from foregate.wire.entity import Entity
from foregate.wire.forecast import Forecast

PAY = Entity("default", "payments", "/pay", "production")
SMALL = Plan(7_200, 12, 12, (12,), 10)  # a day of twelve steps


def series(values: np.ndarray, step_s: int = SMALL.step_s) -> Series:
    return Series(0.0, step_s, np.asarray(values, np.float64))


def seasonal(days: int, noise: float, seed: int = 1) -> np.ndarray:
    steps = np.arange(days * 12)
    values = 100 + 50 * np.sin(2 * np.pi * steps / 12) + np.random.default_rng(seed).normal(0, noise, len(steps))
    return np.maximum(0.0, values)


def made(values: np.ndarray, *models: Model, subject: Subject | None = None, now_s: float = 1e6) -> Forecast:
    return forecast(subject or Subject(PAY, "requests"), series(values), SMALL, models, now_s=now_s)


def test_of_a_noisy_season_the_mean_of_the_seasons_wins_and_the_naive_ones_stand_beside_it() -> None:
    found = made(seasonal(10, 20.0))
    table = {one.model: one for one in found.backtest}
    assert set(table) == {"seasonal_naive", "naive", "seasonal_mean"}
    assert (found.state, found.model, found.origins) == ("forecast", "seasonal_mean", 8)
    assert table["seasonal_mean"].mae < table["seasonal_naive"].mae < table["naive"].mae
    assert table["seasonal_mean"].pinball < table["naive"].pinball
    assert [point.time_s for point in found.points[:2]] == [10 * 86_400.0, 10 * 86_400.0 + 7_200]


def test_intervals_hold_what_they_claim_on_a_future_that_nobody_has_seen() -> None:
    inside80, inside95 = [], []
    for seed in range(30):
        values = seasonal(11, 15.0, seed)
        found, true = made(values[:-12]), values[-12:]
        inside80 += [p.low80 <= v <= p.high80 for p, v in zip(found.points, true, strict=True)]
        inside95 += [p.low95 <= v <= p.high95 for p, v in zip(found.points, true, strict=True)]
    assert np.mean(inside80) == pytest.approx(0.8, abs=0.1)
    assert np.mean(inside95) >= 0.9


def test_the_coverage_that_is_said_was_measured_and_unknown_with_one_origin() -> None:
    (plain, *_) = made(seasonal(10, 15.0)).backtest
    assert plain.held80 == pytest.approx(0.8, abs=0.12)
    assert plain.held95 is not None
    assert plain.held95 >= plain.held80
    overlapping = SMALL._replace(season=24, horizon=24)  # two days ahead from origins a day apart
    found = forecast(Subject(PAY, "requests"), series(seasonal(6, 15.0)), overlapping, (), now_s=0.0)
    assert (found.origins, found.backtest[0].held80) == (3, None)
    (plain, *_) = made(seasonal(2, 15.0)).backtest
    assert (plain.held80, plain.held95) == (None, None)


def test_a_model_that_knows_no_better_than_chance_does_not_replace_seasonal_naive() -> None:
    same = Model("same", 1, lambda values, horizon: seasonal_naive(values, horizon, 12))
    assert made(seasonal(3, 10.0), same).model == "seasonal_naive"


def test_a_model_that_fails_is_out_and_one_that_fails_at_the_end_gives_way() -> None:
    def never(_values: np.ndarray, _horizon: int) -> np.ndarray:
        raise ArithmeticError("no")

    def until_the_end(values: np.ndarray, horizon: int) -> np.ndarray:
        if len(values) == 120:
            raise ValueError("no")
        return truth[len(values) : len(values) + horizon]

    truth = seasonal(11, 20.0)
    found = made(truth[:120], Model("never", 1, never), Model("oracle", 1, until_the_end))
    assert "never" not in {one.model for one in found.backtest}
    assert found.model == "seasonal_mean"
    assert {one.model: one.mae for one in found.backtest}["oracle"] == 0.0


def test_between_two_days_only_the_winner_and_the_simple_ones_compete() -> None:
    asked = []

    def counting(name: str, share: float) -> Model:
        def predict(values: np.ndarray, horizon: int) -> np.ndarray:
            asked.append(name)
            return seasonal_mean(values, horizon, 12) * share

        return Model(name, 1, predict)

    models = (counting("good", 0.999), counting("poor", 0.5))
    truth = seasonal(10, 0.0) + np.random.default_rng(2).normal(0, 9, 120)
    first = made(truth, *models)
    first = Forecast(
        **{name: getattr(first, name) for name in first.__struct_fields__ if name != "model"}, model="good"
    )
    asked.clear()
    later = made(truth, *models, subject=Subject(PAY, "requests", first), now_s=1e6 + 900)
    assert set(asked) == {"good"}
    assert {one.model for one in later.backtest} == {one.model for one in first.backtest}
    assert later.judged_s == first.judged_s
    asked.clear()
    assert made(truth, *models, subject=Subject(PAY, "requests", first), now_s=1e6 + 90_000).judged_s == 1e6 + 90_000
    assert set(asked) == {"good", "poor"}


def test_too_little_history_says_how_much_is_missing() -> None:
    found = forecast(Subject(PAY, "requests"), series(np.ones(96), 900), DAY, (), now_s=0.0)
    assert (found.state, found.note, found.points) == ("learning", "learning: 1.0 of 2 days", ())
    assert made(np.array([])).note == "learning: 0.0 of 2 days"


def test_a_constant_series_stays_what_it_is_and_zeros_are_one() -> None:
    for value in (0.0, 7.0):
        found = made(np.full(60, value))
        assert found.state == "constant"
        assert {(p.median, p.low95, p.high95) for p in found.points} == {(value, value, value)}


def test_a_series_that_was_not_measured_lately_is_silent() -> None:
    values = seasonal(6, 5.0)
    values[-8:] = np.nan
    assert made(values).state == "silent"


def test_gaps_are_bridged_and_never_judged_by() -> None:
    values = seasonal(10, 5.0)
    whole = made(values)
    values[50:60] = np.nan
    found = made(values)
    assert found.state == "forecast"
    medians = np.array([[p.median for p in one.points] for one in (whole, found)])
    assert np.abs(medians[0] - medians[1]).max() < 10.0
    assert np.isfinite([one.mae for one in found.backtest]).all()


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1e9)), min_size=1, max_size=80), st.integers(1, 12))
def test_filling_keeps_what_was_measured_and_invents_nothing_beyond_it(values: list[float | None], season: int) -> None:
    given_ = np.array([np.nan if value is None else value for value in values])
    whole = filled(given_, season)
    known = ~np.isnan(given_)
    assert (whole[known] == given_[known]).all()
    if known.any():
        assert not np.isnan(whole).any()
        assert whole.min() >= given_[known].min() - 1e-6
        assert whole.max() <= given_[known].max() * (1 + 1e-9) + 1e-6


def test_on_the_grid_what_did_not_happen_is_zero_and_what_was_not_seen_is_unknown() -> None:
    found = regular({20.0: 5.0, 50.0: 7.0}, 10, 0.0, 60.0, zero=[0.0, 30.0])
    assert (found.start_s, found.end_s) == (20.0, 60.0)
    np.testing.assert_array_equal(found.values, [5.0, 0.0, np.nan, 7.0])


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 24), st.integers(0, 2**31))
def test_the_ends_of_the_intervals_stand_in_order_around_the_median(rows: int, horizon: int, seed: int) -> None:
    errors = np.random.default_rng(seed).normal(3.0, 10.0, (rows, horizon))
    low95, low80, high80, high95 = offsets(errors, [step * horizon for step in range(rows)])
    assert ((low95 <= low80) & (low80 <= 0) & (high80 >= 0) & (high95 >= high80)).all()


def test_few_origins_or_such_that_overlap_make_wider_intervals() -> None:
    assert wider([0, 10, 20], 10) > wider([0, 10, 20, 30, 40], 10) > (1.0, 1.0)
    assert wider([0, 1, 2, 3, 4, 5, 6, 7], 10) == wider([0], 10) == wider([0, 10], 10)
    errors = np.random.default_rng(1).normal(0, 1, (8, 96))
    apart, close = (offsets(errors, [step * each for each in range(8)]) for step in (96, 4))
    assert (close[3] > 1.5 * apart[3]).all()


def test_origins_leave_a_season_before_and_a_horizon_after_and_are_a_horizon_apart_where_they_can() -> None:
    assert origins(700, 168, 168, 24) == [364, 388, 412, 436, 460, 484, 508, 532]
    assert origins(1_100, 168, 168, 24) == [428, 596, 764, 932]
    assert origins(24, 12, 12, 12) == [12]
    assert origins(48, 12, 12, 12) == [12, 24, 36]
    assert origins(60, 12, 12, 12) == [24, 36, 48]  # some models need two seasons
    assert origins(20, 12, 12, 12) == []
    assert len(origins(9_999, 12, 12, 12)) == 8


def test_no_model_sees_what_comes_after_its_origin() -> None:
    seen: list[int] = []

    def looking(values: np.ndarray, horizon: int) -> np.ndarray:
        seen.append(len(values))
        assert np.isfinite(values).all()
        return np.zeros(horizon)

    made(seasonal(4, 5.0), Model("looking", 1, looking))
    assert seen[:3] == [12, 24, 36]


def test_a_gap_before_an_origin_is_bridged_by_nothing_that_came_after_it() -> None:
    seen: list[np.ndarray] = []

    def spy(values: np.ndarray, horizon: int) -> np.ndarray:
        seen.append(values.copy())
        return np.full(horizon, values[-1])

    values = seasonal(10, 5.0)
    values[60:70] = np.nan  # the last season before the origin at 72
    later = values.copy()
    later[72:] *= 1_000
    made(values, Model("spy", 1, spy))
    first = {len(past): past for past in seen}[72]
    seen.clear()
    made(later, Model("spy", 1, spy))
    assert (first == {len(past): past for past in seen}[72]).all()


def test_the_objective_is_broken_when_what_is_spent_reaches_what_is_left() -> None:
    median = np.full(10, 0.1)
    errors = np.array([[0.05] * 10, [-0.05] * 10, [0.0] * 10, [0.05] * 10, [-0.05] * 10])
    past = tried(simple_models(1)[0], errors, 1.0, [0, 10, 20, 30, 40])
    found = when_broken(BudgetNow("availability", 0.45), median, past, 1_000.0, 60)
    assert found.median_s == 1_300.0
    assert found.soonest_s == 1_180.0  # of 0.1 + 0.05 · 1.15 per step
    assert found.latest_s is None  # of 0.1 - 0.05 · 1.15: 0.42 after ten steps
    assert when_broken(BudgetNow("latency", 5.0), median, past, 0.0, 60).median_s is None
    renewed = when_broken(BudgetNow("quota", 0.45, end_s=1_310.0), median, past, 1_000.0, 60)
    assert (renewed.soonest_s, renewed.median_s, renewed.latest_s) == (1_180.0, 1_300.0, None)
    spent = when_broken(BudgetNow("latency", -0.1), median, past, 1_000.0, 60)
    assert (spent.median_s, spent.soonest_s, spent.latest_s) == (1_000.0, 1_000.0, 1_000.0)


def test_the_simple_models_say_what_their_names_say() -> None:
    values = np.array([1.0, 2.0, 3.0, 3.0, 4.0, 5.0])
    by_name = {model.name: model.predict(values, 4).tolist() for model in simple_models(3)}
    assert by_name == {
        "seasonal_naive": [3.0, 4.0, 5.0, 3.0],
        "naive": [5.0] * 4,
        "seasonal_mean": [2.0, 3.0, 4.0, 2.0],
    }
