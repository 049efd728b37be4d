"""The protocol: VUS-PR of every scorer on every series, means by part, and alarms at one threshold for all series."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.labelled.report import Alarms, LabelledReport, Mean, SeriesResult
from foregate.predict.evaluate.labelled.scorers import ALARM, SCORERS, Scores, Step, score_all
from foregate.predict.evaluate.labelled.series import Series, read
from foregate.predict.evaluate.labelled.vus import range_pr_auc, runs

BUFFER: Final = 100  # samples; the usual one of the authors' benchmark
RATE_PER_DAY: Final = 1.0  # false alarms, per series
THRESHOLDS: Final = 400  # candidates for the one threshold

Areas = dict[str, NDArray[np.float64]]  # by scorer, range-PR-AUC by buffer length


def evaluate(folder: Path, *, seed: int, step: Step) -> LabelledReport:
    """Judge all scorers on the labelled series of a folder (`series.read` says which layouts; ValueError else).

    Nothing is set per data set: seasons follow from the distance of the times. The seed deals the random score.
    `step(done, total)` tells how far it is, in minutes of virtual time. Deterministic.
    """
    every = read(folder)
    series = [one for one in every if one.label.any()]
    if not series:
        raise ValueError(f"{folder}: no series has a label")
    scores = score_all(series, seed, step)
    areas = [
        {name: range_pr_auc(told[name], one.label, BUFFER) for name in SCORERS}
        for one, told in zip(series, scores, strict=True)
    ]
    parts = _parts(series)
    means = [_mean(name, part, chosen, series, scores, areas) for name in SCORERS for part, chosen in parts.items()]
    return LabelledReport(
        seed=seed,
        series=len(every),
        without_label=len(every) - len(series),
        means=tuple(means),
        alarms=tuple(_alarms(part, chosen, series, scores) for part, chosen in parts.items()),
        results=tuple(_result(one, told) for one, told in zip(series, areas, strict=True)),
    )


def _parts(series: list[Series]) -> dict[str, list[int]]:
    """The series of each part that has any; a folder of one series may have no development part."""
    parts = {
        "development": [i for i, one in enumerate(series) if one.development],
        "test": [i for i, one in enumerate(series) if not one.development],
        "all": list(range(len(series))),
    }
    return {part: chosen for part, chosen in parts.items() if chosen}


def _mean(
    name: str, part: str, chosen: list[int], series: list[Series], scores: list[Scores], areas: list[Areas]
) -> Mean:
    learned = [i for i, one in enumerate(series) if one.development] or list(range(len(series)))
    threshold = _threshold(name, learned, series, scores)
    recall, false_per_day = _counts(name, threshold, chosen, series, scores)
    groups: dict[str, list[float]] = {}
    for i in chosen:
        groups.setdefault(series[i].group, []).append(float(areas[i][name].mean()))
    return Mean(
        scorer=name,
        part=part,
        series=len(chosen),
        vus_pr_100=float(np.mean([areas[i][name].mean() for i in chosen])),
        vus_pr_50=float(np.mean([areas[i][name][:51].mean() for i in chosen])),
        vus_pr_0=float(np.mean([areas[i][name][0] for i in chosen])),
        groups={group: float(np.mean(found)) for group, found in groups.items()},
        recall=recall,
        false_alarms_per_day=false_per_day,
    )


def _threshold(name: str, chosen: list[int], series: list[Series], scores: list[Scores]) -> float:
    """The lowest threshold at which there is at most one false alarm per series and day."""
    told = np.concatenate([scores[i][name] for i in chosen])
    told = np.sort(told[~np.isnan(told)])
    if not len(told):
        return float("inf")
    shares = 1 - np.logspace(-0.3, -5, THRESHOLDS)
    candidates = np.unique(np.quantile(told, shares))
    low, high = 0, len(candidates)  # false alarms hardly ever grow with the threshold: halve the candidates
    while low < high:
        middle = (low + high) // 2
        if _counts(name, float(candidates[middle]), chosen, series, scores)[1] <= RATE_PER_DAY:
            high = middle
        else:
            low = middle + 1
    return float(candidates[low]) if low < len(candidates) else float("inf")


def _counts(
    name: str, threshold: float, chosen: list[int], series: list[Series], scores: list[Scores]
) -> tuple[float, float]:
    """(the share of labelled ranges in which the score reaches the threshold, false alarms per series and day)."""
    met, events, false, days = 0, 0, 0, 0.0
    for i in chosen:
        alarm = scores[i][name] >= threshold  # NaN is no alarm
        ranges = runs(series[i].label)
        met += sum(bool(alarm[first : last + 1].any()) for first, last in ranges)
        events += len(ranges)
        false += sum(not series[i].label[first : last + 1].any() for first, last in runs(alarm))
        days += series[i].days
    return met / events, false / days


def _alarms(part: str, chosen: list[int], series: list[Series], scores: list[Scores]) -> Alarms:
    """Alarms of each series at its own p-value, which follows from the distance of its values."""
    met, events, false, days = 0.0, 0, 0.0, 0.0
    for i in chosen:
        stated = -np.log10(min(RATE_PER_DAY * series[i].step_s / 86_400, 1.0))
        recall, false_per_day = _counts(ALARM, float(stated), [i], series, scores)
        count = len(runs(series[i].label))
        met, events = met + recall * count, events + count
        false, days = false + false_per_day * series[i].days, days + series[i].days
    return Alarms(part, RATE_PER_DAY, met / events, false / days)


def _result(one: Series, areas: Areas) -> SeriesResult:
    vus = {name: float(found.mean()) for name, found in areas.items()}
    return SeriesResult(one.name, one.development, len(one.values), float(one.label.mean()), vus)
