"""A series' forecast: which model, how far, how sure. Pure, but for the time that models take."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from msgspec.structs import replace

from foregate.predict.forecast.backtest import Tried, errors_of, offsets, origins, tried
from foregate.predict.forecast.broken import BudgetNow, when_broken
from foregate.predict.forecast.models import Model, simple_models
from foregate.predict.forecast.series import Floats, Series, filled
from foregate.wire.entity import Entity
from foregate.wire.forecast import Backtest, Forecast, ForecastPoint, ForecastState, Metric

JUDGE_EVERY_S: Final = 86_400.0  # all models compete once a day; between, the winner of that against the simple ones
AHEAD: Final = 0.03  # so much smaller than seasonal naive's must an error be: what is less may be chance
MEASURED_SHARE_MIN: Final = 0.5  # of the last day: with less of it measured nothing can be said of the next


class Plan(NamedTuple):
    """How far ahead, in which steps, from how much past. `season` and `seasons` are in steps; a forecast stands for
    `steps_kept` of them."""

    step_s: int
    horizon: int
    season: int
    seasons: tuple[int, ...]
    past_days: int
    steps_kept: int = 1

    @property
    def days_needed(self) -> float:
        """A season to learn from, and a horizon to see how well it was learnt."""
        return (self.season + self.horizon) * self.step_s / 86_400.0


DAY: Final = Plan(900, 96, 96, (96,), 14, 4)  # the next day by the quarter of an hour
WEEK: Final = Plan(3_600, 168, 168, (24, 168), 63, 6)  # the next week by the hour


class Subject(NamedTuple):
    """Whose forecast of what. `before`: the last one that was made. `budget`: what is left, of metric error_budget."""

    entity: Entity
    metric: Metric
    before: Forecast | None = None
    budget: BudgetNow | None = None


def forecast(
    subject: Subject, series: Series, plan: Plan, adaptive: Sequence[Model], *, now_s: float, note: str = ""
) -> Forecast:
    """The forecast from the end of the series on. `adaptive`: models beside the simple ones, none where none is
    installed; `note` then says so."""
    state, lacking = standing(series, plan)
    made = Forecast(
        now_s, subject.entity, subject.metric, plan.step_s, state,
        days_seen=_days(series), days_needed=plan.days_needed, note=lacking or note,
    )  # fmt: skip
    if state == "constant":
        flat = np.full(plan.horizon, np.nanmin(series.values))
        return replace(made, points=_points(series.end_s, plan.step_s, flat, np.zeros((4, plan.horizon))))
    return _judged(made, subject, series, plan, adaptive) if state == "forecast" else made


def standing(series: Series, plan: Plan) -> tuple[ForecastState, str]:
    """What can be said of it at all, and what it lacks: models are asked only where that is "forecast"."""
    values, days_seen = series.values, _days(series)
    lately = values[-series.per_day :]
    if len(lately) and np.isnan(lately).mean() > 1.0 - MEASURED_SHARE_MIN:
        return "silent", "silent: less than half of the last day was measured"
    if days_seen < plan.days_needed:
        return "learning", f"learning: {days_seen:.1f} of {plan.days_needed:g} days"
    flat = np.nanmin(values) == np.nanmax(values)
    return ("constant", "") if flat else ("forecast", "")


def _days(series: Series) -> float:
    return len(series.values) * series.step_s / 86_400.0


def _judged(made: Forecast, subject: Subject, series: Series, plan: Plan, adaptive: Sequence[Model]) -> Forecast:
    """The forecast of the model that did best at the same origins of the past."""
    whole, rivals, before = filled(series.values, plan.season), list(adaptive), subject.before
    if before is not None and before.backtest and 0.0 <= made.made_s - before.judged_s < JUDGE_EVERY_S:
        rivals = [model for model in adaptive if model.name == before.model]
    else:
        before = None
    at = origins(len(whole), plan.horizon, plan.season, series.per_day)
    found = _competed((*simple_models(plan.season), *rivals), series.values, at, plan)
    best, median = _winner(found, whole, plan.horizon)
    broken = None
    if subject.budget is not None:
        broken = when_broken(subject.budget, median, best, series.end_s, plan.step_s)
    return replace(
        made,
        points=_points(series.end_s, plan.step_s, median, offsets(best.errors, best.at)),
        model=best.model.name,
        backtest=_table([one.said for one in found], before.backtest if before is not None else ()),
        origins=len(at),
        judged_s=before.judged_s if before is not None else made.made_s,
        broken=broken,
    )


def _competed(models: Sequence[Model], measured: Floats, at: list[int], plan: Plan) -> list[Tried]:
    """Every model that can forecast from all of the origins, in their order."""
    apart = np.abs(measured[plan.season :] - measured[: -plan.season])
    apart = apart[~np.isnan(apart)]
    scale = float(apart.mean()) if len(apart) else 0.0
    pasts = [filled(measured[:origin], plan.season) for origin in at]
    errors = [(model, errors_of(model, pasts, measured, at, plan.horizon)) for model in models]
    return [tried(model, each, scale, at) for model, each in errors if each is not None]


def _winner(found: list[Tried], whole: Floats, horizon: int) -> tuple[Tried, Floats]:
    """The model with the smallest mean absolute error, where it is `AHEAD` of seasonal naive, and what it forecasts."""
    plain, *others = found
    ahead = [one for one in others if one.said.mae <= (1.0 - AHEAD) * plain.said.mae]
    for best in sorted(ahead, key=lambda one: one.said.mae):
        try:
            return best, np.maximum(0.0, best.model.predict(whole, horizon))
        except (ValueError, ArithmeticError):
            continue
    return plain, plain.model.predict(whole, horizon)


def _table(now: list[Backtest], earlier: Sequence[Backtest]) -> tuple[Backtest, ...]:
    """Today's figures, and of those that did not compete again the last ones."""
    again = {one.model for one in now}
    return (*now, *(one for one in earlier if one.model not in again))


def _points(start_s: float, step_s: int, median: Floats, ends: Floats) -> tuple[ForecastPoint, ...]:
    low95, low80, high80, high95 = np.maximum(0.0, median + ends).tolist()
    return tuple(
        ForecastPoint(start_s + step * step_s, value, low80[step], high80[step], low95[step], high95[step])
        for step, value in enumerate(median.tolist())
    )
