"""A score that keeps its budget by itself, as alerts do live: thresholds that move with each system's own false alarms.

The starting point is what the score costs on systems that are not judged. From there on `alerts.false_alarms` counts,
at the end of each minute, what is known by then and nothing later: a failure when three bad minutes in a row are over.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from foregate.predict.alerts.false_alarms import OwnRecord
from foregate.predict.evaluate.exam import Exam, Floats
from foregate.predict.evaluate.paging import Sweep
from foregate.predict.evaluate.system import System
from foregate.predict.evaluate.truth import Bools, bad_minutes, in_a_row
from foregate.wire.budget import Curve
from foregate.wire.entity import Entity

CURVE_POINTS: Final = 40
_MINUTE_S: Final = 60.0


def budget_curve(tried: Sweep, without: int | None = None) -> tuple[tuple[float, float], ...]:
    """(false alarms per API and day, the score from which so many were raised), rates rising, scores falling.

    `without`: the number of a system that has no say in it.
    """
    kept = np.arange(len(tried.days)) != (-1 if without is None else without)
    rates = tried.false[:, kept].sum(axis=1) / max(float(tried.days[kept].sum()), 1e-9)
    points: list[tuple[float, float]] = []
    for rate, threshold in zip(rates.tolist(), tried.thresholds.tolist(), strict=True):
        if rate > 0 and (not points or (rate > points[-1][0] and threshold < points[-1][1])):
            points.append((rate, threshold))
    step = max(1, -(-len(points) // CURVE_POINTS))
    return tuple(points[::step])


def own_thresholds(
    exam: Exam, scores: Floats, systems: Sequence[System], curves: Sequence[Curve], budgets: Sequence[float]
) -> Floats:
    """The threshold of every moment at each budget, (len(budgets), n). `curves`: one per system, to begin with."""
    parts: list[Floats] = []
    moments = entities = keys = 0
    for system, chosen, curve in zip(systems, exam.chosen, curves, strict=True):
        count, stride = int(chosen.sum()), chosen.shape[1] + exam.horizon_min + 1
        mine = (exam.onset_row >= entities) & (exam.onset_row < entities + len(chosen))
        rows = exam.onset_row[mine] - entities
        certain = _certain(system, rows.tolist(), (exam.onset_key[mine] - keys - rows * stride).tolist())
        said = scores[moments : moments + count]
        parts.append(_of_system(system, chosen, said, curve, certain, exam.horizon_min, budgets))
        moments, entities, keys = moments + count, entities + len(chosen), keys + len(chosen) * stride
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(budgets), 0))


def _certain(system: System, rows: list[int], minutes: list[int]) -> dict[int, list[tuple[Entity, float]]]:
    """Which failures are certain at the end of which minute, and when each began: a spell may begin with stray ones."""
    third = in_a_row(bad_minutes(system))
    known: dict[int, list[tuple[Entity, float]]] = {}
    for row, minute in zip(rows, minutes, strict=True):
        at = minute + int(third[row, minute:].argmax())
        known.setdefault(at, []).append((system.entities[row], minute * _MINUTE_S))
    return known


def _of_system(
    system: System,
    chosen: Bools,
    scores: Floats,
    curve: Curve,
    certain: dict[int, list[tuple[Entity, float]]],
    horizon_min: int,
    budgets: Sequence[float],
) -> Floats:
    """Minute by minute: what became certain, the thresholds, and only then the scores of the minute."""
    out = np.full((len(budgets), len(scores)), np.inf)
    if not curve:
        return out
    record = OwnRecord(system.name, curve, horizon_min * _MINUTE_S)
    row, minute = np.nonzero(chosen)
    order = np.argsort(minute, kind="stable")
    begins = np.searchsorted(minute[order], np.arange(chosen.shape[1] + 1))
    for at in range(chosen.shape[1]):
        time_s, which = (at + 1) * _MINUTE_S, order[begins[at] : begins[at + 1]]
        for entity, onset_s in certain.get(at, ()):
            record.failed(entity, onset_s)
        record.settle(time_s)
        out[:, which] = [[record.threshold(budget)] for budget in budgets]
        record.observe(time_s, [system.entities[i] for i in row[which].tolist()], scores[which])
    return out
