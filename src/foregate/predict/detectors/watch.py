"""The live anomalies: the default configuration over latency, errors and traffic of every entity, minute by minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from foregate.predict.detectors.fused import Fused
from foregate.predict.detectors.joint import JointPca
from foregate.predict.detectors.readings import METRICS, Z_BOUND, Reading, sentence
from foregate.predict.detectors.slots import Floats, Index
from foregate.predict.detectors.spells import OPEN_Z, Spells
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity

MINUTE_S: Final = 60.0
ENTITIES_MAX: Final = 10_000  # beyond it the one that was heard of longest ago is forgotten
RATE_PER_DAY: Final = 1.0  # false alarms per series and day, before the second minute in a row is asked for
EARLY_Z: Final = 6.0  # opens while too little is known for a p-value as small as that
EARLY_MINUTES: Final = 120
FIRST_SLOTS: Final = 64
MISSED_MAX: Final = 7 * 1440  # minutes without a call: after more, everything is learned anew


class AnomalyWatch:
    """Call `observe` once per closed minute with all entities that have one; n may differ from call to call.

    An anomaly opens after two minutes in a row in which a metric is (a) beyond 4 robust deviations, the deviation never
    smaller than `chance`, so that what chance explains is none, and (b) rarer for its own series than once a day. It
    ends after three within 2.5, or when the entity falls silent. An entity that is missing from a call has a gap. The
    first score needs 12 minutes of an entity. Memory: 14 KB per entity. Pure: time comes with the values.
    """

    def __init__(self, *, entities_max: int = ENTITIES_MAX, rate_per_day: float = RATE_PER_DAY) -> None:
        self._entities_max = entities_max
        self._size = min(FIRST_SLOTS, entities_max)
        self._fused = Fused(self._size * len(METRICS), MINUTE_S)
        self._joint = JointPca(self._size, len(METRICS))
        self._alarm_p = self._fused.alarm_p(rate_per_day)
        self._slot_of: dict[Entity, int] = {}
        self._entity_of: dict[int, Entity] = {}
        self._heard_s = np.full(self._size, -np.inf)
        self._last_s: float | None = None
        self._spells = Spells()

    def restore(self, anomalies: Sequence[Anomaly]) -> None:
        """Take up again what was open before a restart."""
        self._spells.restore(list(anomalies))

    def learn(self, time_s: float, entities: Sequence[Entity], values: Floats) -> None:
        """Take in a minute of the past without judging it: what the stored minutes are for at a start."""
        self._pass_time(time_s)
        _, laid = self._lay(time_s, entities, values)
        self._fused.step(laid.reshape(-1), self._beside(laid))
        self._joint.learn(laid)

    def observe(self, time_s: float, entities: Sequence[Entity], values: Floats, chance: Floats) -> list[Anomaly]:
        """Judge the minute that ended at `time_s`, then learn it; the anomalies that opened, got worse or ended.

        `values`, shape (n, 3): p95_ms, error_rate, rps; NaN where there is none. `chance`, shape (n, 3): the deviation
        that chance alone explains, in the same units.
        """
        self._pass_time(time_s)
        slots, laid = self._lay(time_s, entities, values)
        floors = np.zeros_like(laid)
        floors[slots[slots >= 0]] = np.nan_to_num(chance[slots >= 0])
        z = np.clip(self._fused.robust.signed(laid.reshape(-1), floors.reshape(-1)), -Z_BOUND, Z_BOUND)
        verdict = self._fused.step(laid.reshape(-1), self._beside(laid))
        self._joint.learn(laid)
        early = self._fused.tail.sample.seen < EARLY_MINUTES
        rare = (verdict.p <= self._alarm_p) | (early & (np.abs(z) >= EARLY_Z))
        asked = set(np.flatnonzero(rare & (np.abs(z) >= OPEN_Z)).tolist())
        asked.update(self._open_cells())
        changed: list[Anomaly] = []
        for cell in sorted(asked):
            if np.isnan(z[cell]):
                continue
            metric, entity = METRICS[cell % len(METRICS)], self._entity_of[cell // len(METRICS)]
            value, usual = float(laid.reshape(-1)[cell]), float(verdict.expected[cell])
            told = sentence(metric, value, usual)
            reading = Reading(metric, value, usual, float(z[cell]), told, rare=bool(rare[cell]))
            changed.extend(self._spells.observe(time_s, entity, [reading]))
        return changed

    def expire(self, time_s: float) -> list[Anomaly]:
        """End the anomalies of entities that have not been heard of for a while."""
        return self._spells.expire(time_s)

    @property
    def nbytes(self) -> int:
        """Memory of what was learned, in bytes."""
        return self._fused.nbytes + self._joint.nbytes

    def _beside(self, laid: Floats) -> Floats:
        return np.repeat(self._joint.score(laid), len(METRICS))

    def _open_cells(self) -> list[int]:
        cells = ((self._slot_of.get(entity), metric) for entity, metric in self._spells.open)
        return [slot * len(METRICS) + METRICS.index(m) for slot, m in cells if slot is not None]

    def _pass_time(self, time_s: float) -> None:
        """Minutes in which nobody called are skipped; a clock that was set back, or a long silence, begins anew."""
        if self._last_s is not None:
            missed = round((time_s - self._last_s) / MINUTE_S) - 1
            if missed > MISSED_MAX or missed < -1:
                self._forget(np.arange(self._size, dtype=np.intp))
            elif missed > 0:
                self._fused.skip(missed)
        self._last_s = time_s

    def _lay(self, time_s: float, entities: Sequence[Entity], values: Floats) -> tuple[Index, Floats]:
        """The slots of the entities (−1: no room), and the values by slot."""
        for entity in entities:
            slot = self._slot_of.get(entity)
            if slot is not None:
                self._heard_s[slot] = time_s
        slots = np.asarray([self._place(time_s, entity) for entity in entities], dtype=np.intp)
        laid = np.full((self._size, len(METRICS)), np.nan)
        laid[slots[slots >= 0]] = values[slots >= 0]
        return slots, laid

    def _place(self, time_s: float, entity: Entity) -> int:
        slot = self._slot_of.get(entity)
        if slot is not None:
            return slot
        if len(self._slot_of) == self._size < self._entities_max:
            self._grow(min(2 * self._size, self._entities_max))
        slot = int(np.argmin(self._heard_s))
        if self._heard_s[slot] >= time_s:
            return -1  # more entities in one minute than slots: the first ones are watched
        self._forget(np.asarray([slot], dtype=np.intp))
        self._slot_of[entity], self._entity_of[slot], self._heard_s[slot] = slot, entity, time_s
        return slot

    def _forget(self, slots: Index) -> None:
        taken = [slot for slot in slots.tolist() if slot in self._entity_of]
        for slot in taken:
            del self._slot_of[self._entity_of.pop(slot)]
        self._heard_s[slots] = -np.inf
        if taken:
            self._joint.reset(np.asarray(taken, dtype=np.intp))
            self._fused.reset((np.asarray(taken)[:, None] * len(METRICS) + np.arange(len(METRICS))).reshape(-1))

    def _grow(self, size: int) -> None:
        self._fused.grow(size * len(METRICS))
        self._joint.grow(size)
        self._heard_s = np.concatenate((self._heard_s, np.full(size - self._size, -np.inf)))
        self._size = size
