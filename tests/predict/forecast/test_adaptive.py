"""The models of statsforecast, as far as we rely on them."""

import numpy as np

from foregate.predict.forecast import Plan, Subject, forecast
from foregate.predict.forecast.adaptive import adaptive_models
from foregate.predict.forecast.series import Series
from foregate.wire.entity import Entity


def test_of_a_season_with_a_trend_an_adaptive_model_wins_and_a_lone_spike_harms_nobody() -> None:
    plan = Plan(7_200, 12, 12, (12,), 10)
    steps = np.arange(72)
    values = 100 + 3.0 * steps + 30 * np.sin(2 * np.pi * steps / 12) + np.random.default_rng(1).normal(0, 2, 72)
    models = adaptive_models(plan.season, plan.seasons)
    found = forecast(Subject(Entity("o", "s", "/", "e"), "requests"), Series(0.0, 7_200, values), plan, models, now_s=0)
    table = {one.model: one.mae for one in found.backtest}
    assert found.model in ("mstl_ets", "optimized_theta")
    assert set(table) == {"seasonal_naive", "naive", "seasonal_mean", "mstl_ets", "optimized_theta", "auto_ets"}
    assert table[found.model] < 0.5 * min(table["seasonal_naive"], table["naive"])
    assert found.points[-1].median > values.max() - 40
    # Of a past that they can do nothing with they are out, and the naive ones stand.
    lone = np.zeros(60)
    lone[-1] = 1.0
    found = forecast(Subject(Entity("o", "s", "/", "e"), "requests"), Series(0.0, 7_200, lone), plan, models, now_s=0)
    assert found.state == "forecast"
    assert np.isfinite([point.high95 for point in found.points]).all()
