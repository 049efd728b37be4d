"""What is unusual now: of entities with a past, by the minute and by how rare it is; of young ones by z alone.

A detector that says how rare a value is needs some hours of it. Until then a robust z-score over the minutes there are
is all that can be said, and a newcomer wants to see something.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.detectors.robust_z import readings, scores
from foregate.predict.detectors.spells import OPEN_Z, Spells
from foregate.predict.detectors.watch import AnomalyWatch
from foregate.predict.features import Frame
from foregate.predict.usual import COLUMN, METRIC, REQUESTS_MIN, YOUNG_MINUTES, Floats, Usual
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity

_P95_FLOOR: Final = 0.05, 2.0  # share of the median, ms: below it nobody would look
_RPS_MIN: Final = 0.05


class Unusual:
    """The open anomalies of all entities. Pure: time comes with what is observed."""

    def __init__(self) -> None:
        self._watch = AnomalyWatch()
        self._young = Spells()

    def restore(self, anomalies: list[Anomaly]) -> None:
        """Take up again what was open before a restart."""
        self._watch.restore(anomalies)

    def learn(self, time_s: float, entities: Sequence[Entity], rows: Floats) -> None:
        """Take in a closed minute of the past, rows (n, C), without judging it."""
        self._watch.learn(time_s, entities, _values(rows))

    def minute(self, time_s: float, entities: Sequence[Entity], rows: Floats, usual: Usual) -> list[Anomaly]:
        """Judge the minute that ended at `time_s`, then learn it."""
        found = self._watch.observe(time_s, entities, _values(rows), _chance(rows, usual))
        grown_up = {e for e, n in zip(entities, usual.minutes.tolist(), strict=True) if n >= YOUNG_MINUTES}
        return [anomaly for anomaly in found if anomaly.entity in grown_up or anomaly.ended_s is not None]

    def tick(self, time_s: float, entities: Sequence[Entity], frame: Frame) -> list[Anomaly]:
        """Judge the young ones among the moments of a frame, and those whose spell began when they were."""
        z = scores(frame)
        watched = {entity for entity, _ in self._young.open}
        begins = (np.abs(z) >= OPEN_Z).any(axis=1) & (frame.usual.minutes < YOUNG_MINUTES)
        of = [i for i, entity in enumerate(entities) if begins[i] or entity in watched]
        return [
            anomaly
            for i, values in readings(frame, of, z).items()
            for anomaly in self._young.observe(time_s, entities[i], values)
        ]

    def expire(self, time_s: float) -> list[Anomaly]:
        """End the anomalies of entities that have not been heard of for a while."""
        return [*self._watch.expire(time_s), *self._young.expire(time_s)]


def _values(rows: Floats) -> NDArray[np.float64]:
    """(n, 3): p95 in ms, error rate, requests per second; NaN where too few were asked."""
    requests = rows[:, COLUMN["requests"]].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.stack(
            (rows[:, COLUMN["p95_ms"]], rows[:, COLUMN["errors"]] / requests, requests / 60.0), axis=1
        ).astype(np.float64)
    values[~(requests >= REQUESTS_MIN), :2] = np.nan
    return values


def _chance(rows: Floats, usual: Usual) -> NDArray[np.float64]:
    """(n, 3): the deviation that chance explains: binomial for errors, Poisson for traffic, 5 % for latency."""
    n = np.maximum(np.nan_to_num(rows[:, COLUMN["requests"]]), 1.0).astype(np.float64)
    median = usual.median.astype(np.float64)
    share, least_ms = _P95_FLOOR
    p = np.clip(np.nan_to_num(median[:, METRIC["error_rate"]]), 1.0 / n, 0.5)
    rps = np.maximum(np.nan_to_num(median[:, METRIC["rps"]]), _RPS_MIN)
    p95 = np.maximum(share * np.nan_to_num(median[:, METRIC["p95_ms"]]), least_ms)
    return np.stack((p95, np.sqrt(p * (1 - p) / n), np.sqrt(rps / 60.0)), axis=1)
