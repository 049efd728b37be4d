"""What alerts have cost an organisation: its own record of false alarms, at every score that could be its threshold.

A model's curve says what a score costs on systems that it was measured on. Other systems fail more seldom, or make more
noise, and the same score costs a fifth or twice as much there. So each score of the curve is followed as if it
were the threshold: when it would have paged, and whether a failure came. The rate is that of the curve, worth
`CURVE_DAYS` of observation, and the organisation's own beside it (the mean of a Gamma-Poisson posterior; Gelman and
others, "Bayesian Data Analysis", 2013, 2.6).
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from foregate.kernel.limits import ENTITIES_MAX
from foregate.predict.alerts.book import CONFIRM_S, UNSEEN_S
from foregate.wire.budget import Curve
from foregate.wire.entity import Entity

CURVE_DAYS: Final = 2.0  # so many API days of its own weigh as much as what the model was measured on
MOVED_MAX: Final = 8.0  # how many times less than the curve's a rate may become: a lucky week proves nothing
BETWEEN: Final = 2  # scores that are followed between two of the curve
HALF_LIFE_S: Final = 7 * 86_400.0
SEEN_S_MAX: Final = 120.0  # between two scores of an API more than that was not watched
RECORDS_MAX: Final = 2_000  # organisations that have one; of others the model's curve alone is known
VERSIONS_MAX: Final = 2  # of an organisation's models whose counts are kept: one may be away for a moment
GONE_S: Final = 4 * HALF_LIFE_S  # after that what was counted is worth nothing
_DAY_S: Final = 86_400.0
_SWEEP_S: Final = 3_600.0  # what is gone is looked for so often
_BUCKET_S: Final = 60.0
_NEVER: Final = -np.inf

Floats = NDArray[np.float64]


class Counts(msgspec.Struct, frozen=True):
    """A record as it is kept over a restart. `false`: per score, over `days` of APIs, both as of `time_s`.

    `model_version`: whose curve it is; with another model's it means nothing.
    """

    model_version: str
    time_s: float
    days: float
    false: tuple[float, ...]


Kept = Mapping[str, tuple[Counts, ...]]  # by organisation, of its latest models


class OwnRecord:
    """One organisation's, for one model: K scores are followed. Feed it in the order of time.

    Up to 1.1 KB per API; further ones than `entities_max` are not followed.
    """

    def __init__(self, model_version: str, curve: Curve, horizon_s: float, *, entities_max: int = ENTITIES_MAX) -> None:
        self.model_version = model_version
        self._horizon_s, self._entities_max = horizon_s, entities_max
        self._measured, self._scores = _ladder(curve)
        self._slots: dict[Entity, int] = {}
        self._free: list[int] = []
        self._paged = np.empty((0, len(self._scores)))  # when each last paged; pages are valid for one horizon
        self._open = np.empty((0, len(self._scores)), dtype=bool)  # nobody knows yet what became of it
        self._seen = np.empty(0)
        self._days, self._false = 0.0, np.zeros(len(self._scores))
        # Watched time counts when its pages do: else many APIs would look harmless before any outcome is known.
        self._awaited: deque[tuple[float, float]] = deque()  # (when it was watched, API days), by the minute
        self._time_s = self._swept_s = _NEVER

    @property
    def last_s(self) -> float:
        """When it was shown scores the last time, −∞ when never."""
        return self._time_s

    @property
    def counts(self) -> Counts:
        return Counts(self.model_version, self._time_s, self._days, tuple(self._false.tolist()))

    def restore(self, counts: Counts) -> None:
        """Take up what was counted before. One of another model, or damaged, is left."""
        numbers = (counts.time_s, counts.days, *counts.false)
        fits = counts.model_version == self.model_version and len(counts.false) == len(self._false)
        if fits and np.isfinite(numbers).all() and min(numbers) >= 0.0:
            self._days, self._false, self._time_s = counts.days, np.array(counts.false), counts.time_s

    def observe(self, time_s: float, entities: Sequence[Entity], scores: Floats) -> None:
        """The scores (n,) of healthy APIs at one moment."""
        if time_s < self._time_s - SEEN_S_MAX:  # the clock was set back: what was under way is never judged
            self._paged[:], self._open[:], self._seen[:] = _NEVER, False, _NEVER
            self._awaited.clear()
            self._time_s = self._swept_s = time_s
        self._forget(time_s)
        self._sweep(time_s)
        slots = np.array([self._slot(entity, time_s) for entity in entities], dtype=np.intp)
        followed = slots >= 0
        slots, scores = slots[followed], scores[followed]
        since_s = time_s - self._seen[slots]
        self._watch(time_s, float(np.where(since_s <= SEEN_S_MAX, np.maximum(since_s, 0.0), 0.0).sum()) / _DAY_S)
        self._seen[slots] = time_s
        over = time_s >= self._paged[slots] + self._horizon_s
        pages = (scores[:, None] >= self._scores) & over
        # A page whose outcome is awaited gives way to the next one: none came of it until now.
        self._false += (pages & self._open[slots]).sum(axis=0)
        self._paged[slots] = np.where(pages, time_s, self._paged[slots])
        self._open[slots] |= pages

    def failed(self, entity: Entity, onset_s: float) -> None:
        """A failure of the API is certain; it began at `onset_s`. Pages in time for it were right."""
        slot = self._slots.get(entity)
        if slot is not None:
            paged = self._paged[slot]
            self._open[slot] &= ~((paged - UNSEEN_S <= onset_s) & (onset_s <= paged + self._horizon_s))

    def settle(self, time_s: float) -> None:
        """Count the pages that nothing came of, and the time in which they might have come."""
        known_s = time_s - self._horizon_s - CONFIRM_S
        while self._awaited and self._awaited[0][0] <= known_s:
            self._days += self._awaited.popleft()[1]
        over = self._open & (self._paged <= known_s)
        if over.any():
            self._false += over.sum(axis=0)
            self._open &= ~over

    @property
    def rates(self) -> Floats:
        """False alarms per API and day at each score, (K,)."""
        own = (self._measured * CURVE_DAYS + self._false) / (CURVE_DAYS + self._days)
        return np.maximum(own, self._measured / MOVED_MAX)

    def threshold(self, per_day: float) -> float:
        """The lowest score that keeps to so many false alarms per API and day; the strictest if none does.

        None in between those that are followed: of it nothing is known.
        """
        within = np.flatnonzero(np.maximum.accumulate(self.rates) <= per_day)
        return float(self._scores[within[-1] if within.size else 0])

    def _forget(self, time_s: float) -> None:
        if time_s > self._time_s > _NEVER:
            kept = 0.5 ** ((time_s - self._time_s) / HALF_LIFE_S)
            self._days, self._false = self._days * kept, self._false * kept
        self._time_s = max(time_s, self._time_s)

    def _watch(self, time_s: float, days: float) -> None:
        if self._awaited and time_s - self._awaited[-1][0] < _BUCKET_S:
            days += self._awaited.pop()[1]
        self._awaited.append((time_s, days))

    def _slot(self, entity: Entity, time_s: float) -> int:
        """The place of an API, −1 where there is none."""
        slot = self._slots.get(entity)
        if slot is not None or len(self._slots) >= self._entities_max:
            return -1 if slot is None else slot
        if not self._free:
            room = max(16, len(self._seen))
            self._free = list(range(len(self._seen) + room - 1, len(self._seen) - 1, -1))
            self._paged = np.concatenate([self._paged, np.full((room, len(self._scores)), _NEVER)])
            self._open = np.concatenate([self._open, np.zeros((room, len(self._scores)), dtype=bool)])
            self._seen = np.concatenate([self._seen, np.full(room, _NEVER)])
        slot = self._slots[entity] = self._free.pop()
        self._paged[slot], self._open[slot], self._seen[slot] = _NEVER, False, time_s
        return slot

    def _sweep(self, time_s: float) -> None:
        """APIs that are gone for a day give way."""
        if time_s - self._swept_s >= _SWEEP_S:
            self._swept_s = time_s
            for entity in [entity for entity, slot in self._slots.items() if self._seen[slot] < time_s - _DAY_S]:
                slot = self._slots.pop(entity)
                self._open[slot] = False  # nobody saw what became of its page
                self._free.append(slot)


def _ladder(curve: Curve) -> tuple[Floats, Floats]:
    """(rates, scores), each (K,): the points of the curve and some between them, over the logarithm of the rate."""
    at = np.arange(0, (BETWEEN + 1) * (len(curve) - 1) + 1) / (BETWEEN + 1)
    points = np.arange(len(curve))
    rates, scores = np.array(curve, dtype=np.float64).T
    return np.exp(np.interp(at, points, np.log(rates))), np.interp(at, points, scores)


class OwnRecords:
    """Of every organisation. `kept`: what was counted before a restart, taken up when it is needed.

    An organisation that is not judged for a day keeps its counts alone; of more than `RECORDS_MAX` nothing is counted.
    """

    def __init__(self, horizon_s: float, kept: Kept | None = None) -> None:
        self._horizon_s = horizon_s
        self._kept: dict[str, tuple[Counts, ...]] = dict(kept or {})
        self._records: dict[str, OwnRecord] = {}
        self._swept_s = _NEVER

    def of(self, org: str, model_version: str, curve: Curve) -> OwnRecord | None:
        """An organisation's record under the model that judges it now; None where there is no room for one."""
        record = self._records.get(org)
        if record is not None and record.model_version == model_version:
            return record
        if record is None and len(self._records) >= RECORDS_MAX:
            return None
        if record is not None:
            self._put_away(org, record)
        record = self._records[org] = OwnRecord(model_version, curve, self._horizon_s)
        for counts in self._kept.get(org, ()):
            record.restore(counts)
        return record

    def failed(self, entity: Entity, onset_s: float) -> None:
        """See `OwnRecord.failed`."""
        record = self._records.get(entity.org)
        if record is not None:
            record.failed(entity, onset_s)

    def settle(self, time_s: float) -> None:
        """See `OwnRecord.settle`."""
        for record in self._records.values():
            record.settle(time_s)
        if not 0.0 <= time_s - self._swept_s < _SWEEP_S:
            self._swept_s = time_s
            for org in [org for org, record in self._records.items() if record.last_s < time_s - _DAY_S]:
                self._put_away(org, self._records.pop(org))
            for org, kept in list(self._kept.items()):
                if all(counts.time_s < time_s - GONE_S for counts in kept):
                    del self._kept[org]

    @property
    def counts(self) -> Kept:
        """To be kept over a restart: of each organisation the present model's first."""
        now = {org: self._with(org, record) for org, record in self._records.items()}
        return {org: counts for org, counts in (self._kept | now).items() if counts}

    def _put_away(self, org: str, record: OwnRecord) -> None:
        counts = self._with(org, record)
        if counts and (org in self._kept or len(self._kept) < RECORDS_MAX):
            self._kept[org] = counts

    def _with(self, org: str, record: OwnRecord) -> tuple[Counts, ...]:
        """What is kept of an organisation beside this record, and the record where anything was counted."""
        others = tuple(each for each in self._kept.get(org, ()) if each.model_version != record.model_version)
        return ((record.counts, *others) if np.isfinite(record.last_s) else others)[:VERSIONS_MAX]
