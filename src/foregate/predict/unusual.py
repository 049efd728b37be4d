"""What is unusual now: of entities with a past, by the minute and by how rare it is; of young ones by z alone.

A detector that says how rare a value is needs some hours of it. Until then a robust z-score over the minutes there are
is all that can be said, and a newcomer wants to see something.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foregate.predict.detectors.chance import chance
from foregate.predict.detectors.robust_z import readings, scores
from foregate.predict.detectors.spells import OPEN_Z, Spells
from foregate.predict.detectors.watch import AnomalyWatch
from foregate.predict.features import Frame
from foregate.predict.panel import SET_BACK_S
from foregate.predict.usual import COLUMN, REQUESTS_MIN, YOUNG_MINUTES, Floats, Usual
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity


class _Late(NamedTuple):
    """A minute for the watch: see `AnomalyWatch.observe`."""

    values: NDArray[np.float64]
    floor: NDArray[np.float64]
    grown_up: bool


class Unusual:
    """The open anomalies of all entities. Pure: time comes with what is observed.

    An anomaly has one owner: the spells of the young, and when the entity is found to be grown up, the watch, which
    goes on with it. What the watch finds of the young itself nobody is told.

    A minute that comes when others have closed theirs (senders of telemetry post when they like) is judged with the
    next one; of two such ones of an entity the later. At most one is kept per entity that the panel has.
    """

    def __init__(self) -> None:
        self._watch = AnomalyWatch()
        self._young = Spells()
        self._told: set[tuple[Entity, str]] = set()  # the watch's open anomalies that somebody was told of
        self._newest_s = -np.inf  # the end of the newest minute that the watch has seen
        self._late: dict[Entity, _Late] = {}  # what came too late for its own minute, and is seen with the next one

    def restore(self, anomalies: list[Anomaly]) -> None:
        """Take up again what was open before a restart."""
        self._young.restore(anomalies)

    def learn(self, time_s: float, entities: Sequence[Entity], rows: Floats) -> None:
        """Take in a closed minute of the past, rows (n, C), without judging it."""
        values = _values(rows)
        if self._begins(time_s):
            self._watch.learn(time_s, entities, values)

    def minute(self, time_s: float, entities: Sequence[Entity], rows: Floats, usual: Usual) -> list[Anomaly]:
        """Judge the minute that ended at `time_s`, then learn it."""
        grown_up = {e for e, n in zip(entities, usual.minutes.tolist(), strict=True) if n >= YOUNG_MINUTES}
        self._hand_over(grown_up)
        values, floor = _values(rows), chance(rows[:, COLUMN["requests"]], 60.0, usual)
        if not self._begins(time_s):
            for i, entity in enumerate(entities):
                self._late[entity] = _Late(values[i], floor[i], entity in grown_up)
            return []
        here = set(entities)
        late = {entity: one for entity, one in self._late.items() if entity not in here}
        self._late = {}
        if late:
            entities = [*entities, *late]
            values = np.concatenate([values, [one.values for one in late.values()]])
            floor = np.concatenate([floor, [one.floor for one in late.values()]])
            grown_up |= {entity for entity, one in late.items() if one.grown_up}
        return self._tell(self._watch.observe(time_s, entities, values, floor), grown_up)

    def _begins(self, time_s: float) -> bool:
        """Whether this minute is a new one. The watch sees every minute once, and in order: to all others an earlier
        one would be a clock that was set back."""
        late = 0 <= self._newest_s - time_s < SET_BACK_S
        if not late:
            self._newest_s = time_s
        return not late

    def _hand_over(self, grown_up: set[Entity]) -> None:
        for entity in {entity for entity, _ in self._young.open} & grown_up:
            given = self._young.give(entity)
            self._watch.restore(given)
            self._told.update((entity, anomaly.metric) for anomaly in given)

    def _tell(self, found: Sequence[Anomaly], grown_up: Collection[Entity] = ()) -> list[Anomaly]:
        """Of the watch's changes those of grown-ups, and of what was told before."""
        told = []
        for anomaly in found:
            key = anomaly.entity, anomaly.metric
            if key not in self._told and (anomaly.entity not in grown_up or anomaly.ended_s is not None):
                continue
            self._told.add(key)
            if anomaly.ended_s is not None:
                self._told.remove(key)
            told.append(anomaly)
        return told

    def tick(self, time_s: float, entities: Sequence[Entity], frame: Frame) -> list[Anomaly]:
        """Judge the young ones among the moments of a frame."""
        young = frame.usual.minutes < YOUNG_MINUTES
        self._hand_over({entity for entity, one in zip(entities, young.tolist(), strict=True) if not one})
        z = scores(frame)
        watched = {entity for entity, _ in self._young.open}
        begins = (np.abs(z) >= OPEN_Z).any(axis=1) & young
        of = [i for i, entity in enumerate(entities) if begins[i] or entity in watched]
        return [
            anomaly
            for i, values in readings(frame, of, z).items()
            for anomaly in self._young.observe(
                time_s, entities[i], [value for value in values if (entities[i], value.metric) not in self._told]
            )
        ]

    def expire(self, time_s: float) -> list[Anomaly]:
        """End the anomalies of entities that have not been heard of for a while."""
        return [*self._tell(self._watch.expire(time_s)), *self._young.expire(time_s)]


def _values(rows: Floats) -> NDArray[np.float64]:
    """(n, 3): p95 in ms, error rate, requests per second; NaN where too few were asked."""
    requests = rows[:, COLUMN["requests"]].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.stack(
            (rows[:, COLUMN["p95_ms"]], rows[:, COLUMN["errors"]] / requests, requests / 60.0), axis=1
        ).astype(np.float64)
    values[~(requests >= REQUESTS_MIN), :2] = np.nan
    return values
