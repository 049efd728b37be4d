"""How forecasts do on series that nobody tuned them on: `python -m bench.forecasts FOLDER …` (CSV: time, value).

Of each series the last horizon is held back, the forecast is made of what lies before, and both are compared: mean
absolute error over that of seasonal naive on the same steps, and the share of values within the intervals. Without a
folder: synthetic series with a day's and a week's shape. Docs: docs/explanations/forecast.md.
"""

import argparse
import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from foregate.predict.forecast import DAY, WEEK, Plan, Subject, forecast
from foregate.predict.forecast.adaptive import adaptive_models
from foregate.predict.forecast.models import Model, naive, seasonal_naive
from foregate.predict.forecast.series import Series, filled, regular
from foregate.wire.entity import Entity

WHO = Entity("bench", "bench", "/", "bench")
KINDS = ("smooth", "steps", "noisy", "trend")


class Held(NamedTuple):
    """One series: errors on what was held back, as shares of seasonal naive's."""

    name: str
    model: str
    ratio: float
    naive: float
    mase: float
    held80: float
    held95: float


def recorded(folder: Path) -> Iterator[tuple[str, dict[float, list[float]]]]:
    """Values by time of every CSV file with a time and a value."""
    for file in sorted(folder.rglob("*.csv")):
        values: dict[float, list[float]] = {}
        with file.open(newline="") as rows:
            for row in csv.DictReader(rows):
                named = {key.lower(): value for key, value in row.items() if key}
                if "timestamp" not in named or not named.get("value"):
                    continue
                at = datetime.fromisoformat(named["timestamp"].strip()).replace(tzinfo=UTC).timestamp()
                values.setdefault(at, []).append(float(named["value"]))
        if values:
            yield file.stem, values


def synthetic(count: int) -> Iterator[tuple[str, dict[float, list[float]]]]:
    """Requests per quarter of an hour over ten weeks."""
    for number in range(count):
        rng = np.random.default_rng(number)
        kind = KINDS[number % len(KINDS)]
        hours = np.arange(70 * 96) / 4
        level = rng.uniform(50, 5_000)
        shape = 1 + rng.uniform(0.3, 0.8) * np.sin(2 * np.pi * (hours / 24 + rng.random()))
        shape *= np.where((hours // 24) % 7 >= 5, rng.uniform(0.4, 1.0), 1.0)
        if kind == "steps":
            shape *= np.where(hours > rng.uniform(800, 1_600), rng.uniform(0.5, 2.0), 1.0)
        if kind == "trend":
            shape *= 1 + rng.uniform(0.2, 1.0) * hours / hours[-1]
        spread = 0.4 if kind == "noisy" else 0.1
        rate = (
            level * shape * np.exp(np.cumsum(rng.normal(0, 0.01, len(hours))) * 0.5 + rng.normal(0, spread, len(hours)))
        )
        counts = rng.poisson(rate)
        yield f"{kind}-{number}", {hour * 3_600.0: [float(c)] for hour, c in zip(hours.tolist(), counts, strict=True)}


def on_grid(values: dict[float, list[float]], plan: Plan) -> Series | None:
    """The means per step of the last `past_days` and the horizon; None when the series is too short or too coarse."""
    steps: dict[float, list[float]] = {}
    for at, several in values.items():
        steps.setdefault(at // plan.step_s * plan.step_s, []).extend(several)
    until_s = max(steps) + plan.step_s
    known = {at: float(np.mean(several)) for at, several in steps.items()}
    past = plan.past_days * 86_400 + plan.horizon * plan.step_s
    series = regular(known, plan.step_s, until_s - past, until_s)
    needed = plan.season + 2 * plan.horizon
    too_few = len(series.values) < needed or np.isnan(series.values).mean() > 0.2
    return None if too_few or np.nanmin(series.values) < 0 else series


def held_back(name: str, series: Series, plan: Plan, adaptive: tuple[Model, ...]) -> Held | None:
    """Forecast the last horizon; None where seasonal naive makes no error, or nothing is left to compare."""
    past, true = series.values[: -plan.horizon], series.values[-plan.horizon :]
    made = forecast(Subject(WHO, "requests"), series._replace(values=past), plan, adaptive, now_s=1e9)
    known = ~np.isnan(true)
    whole = filled(past, plan.season)
    base = float(np.abs(true - seasonal_naive(whole, plan.horizon, plan.season))[known].mean()) if known.any() else 0.0
    if made.state != "forecast" or base == 0.0:
        return None
    points = np.array([[p.median, p.low80, p.high80, p.low95, p.high95] for p in made.points])
    mae = float(np.abs(true - points[:, 0])[known].mean())
    plain = float(np.abs(true - naive(whole, plan.horizon))[known].mean())
    in80 = ((true >= points[:, 1]) & (true <= points[:, 2]))[known].mean()
    in95 = ((true >= points[:, 3]) & (true <= points[:, 4]))[known].mean()
    mase = next((one.mase or math.nan for one in made.backtest if one.model == made.model), math.nan)
    return Held(name, made.model, mae / base, plain / base, mase, float(in80), float(in95))


def table(found: list[Held]) -> str:
    """One line: how many, the winner's error, how often it beats seasonal naive, coverage.

    Errors are bounded to a tenth and ten times of seasonal naive's: a series that forecasts exactly would be all that
    a geometric mean shows.
    """
    ratios = np.clip([one.ratio for one in found], 0.1, 10.0)
    plain = np.clip([one.naive for one in found], 0.1, 10.0)
    wins = {model: sum(one.model == model for one in found) for model in sorted({one.model for one in found})}
    return (
        f"| {len(found)} | {np.exp(np.log(ratios).mean()):.2f} | {np.median(ratios):.2f} | "
        f"{(ratios < 0.995).sum()} / {(ratios > 1.005).sum()} | {np.exp(np.log(plain).mean()):.2f} | "
        f"{np.mean([one.held80 for one in found]):.2f} | {np.mean([one.held95 for one in found]):.2f} | {wins} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--synthetic", type=int, default=24)
    parser.add_argument("--rows", action="store_true", help="a line per series, too")
    given = parser.parse_args()
    sources = {str(folder.name): list(recorded(folder)) for folder in given.folders}
    sources = sources or {"synthetic": list(synthetic(given.synthetic))}
    for source, series in sources.items():
        for label, plan in (("day", DAY), ("week", WEEK)):
            usable = [(name, one) for name, values in series if (one := on_grid(values, plan)) is not None]
            for models, adaptive in (("all", adaptive_models(plan.season, plan.seasons)), ("simple", ())):
                found = [h for name, one in usable if (h := held_back(name, one, plan, adaptive)) is not None]
                if given.rows:
                    print(*found, sep="\n")
                print(source, label, models, table(found) if found else "no series is long enough", flush=True)


if __name__ == "__main__":
    main()
