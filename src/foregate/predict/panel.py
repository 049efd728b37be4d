"""The memory of the predict plane: the minutes of all entities on one time axis, bounded.

One array for all, because everything is asked of all at once. Absent minutes are NaN, so a gap is a gap. An entity
unheard of for longest is forgotten first.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from foregate.kernel.limits import ENTITIES_MAX
from foregate.predict.season import (
    BACK,
    DAY_QUARTERS,
    QUARTER_S,
    SEASON_QUARTERS,
    SEASONAL,
    halved,
    quarter_of,
    seasonal,
)
from foregate.predict.usual import (
    COLUMN,
    METRICS,
    REFERENCE_MINUTES,
    RENEWED_MINUTES,
    YOUNG_MINUTES,
    Floats,
    Usual,
    cleaned,
    is_bad,
    is_usable,
    usual_of,
)
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, COUNTED, TRAFFIC

MINUTE_S: Final = 60
SLACK: Final = 48  # columns written before the axis is moved on
SPAN: Final = REFERENCE_MINUTES + RENEWED_MINUTES + SLACK
SET_BACK_S: Final = 900.0  # a minute older than the newest by more: the clock was set back
TARDY_MINUTES: Final = 60  # for so long after a late minute of its, an API's silence is not believed
QUARTERS: Final = SEASON_QUARTERS + 6
_QUARTER_MINUTES: Final = QUARTER_S // MINUTE_S
_ENTITIES_FIRST: Final = 64
_COUNTED: Final = tuple(COLUMN[name] for name in COUNTED)
REQUIRED_COUNTS: Final = COLUMNS[:2]  # requests and errors: they alone decide whether a minute is usable
T = TypeVar("T", bound=np.generic)
_CHUNK: Final = 1_024  # entities that are worked on at a time, and room that is made at a time: bounds the memory


class Panel:
    """Slots of entities: minutes (slots, C, SPAN), quarters of eight days (slots, 3, QUARTERS), usual levels.

    Some 37 KB per slot: at `entities_max` 20,000 it takes 750 MB, and never more.
    """

    def __init__(self, entities_max: int = ENTITIES_MAX) -> None:
        self._entities_max = entities_max
        self._slots: dict[Entity, int] = {}  # in the order in which they were last heard of
        self._free: list[int] = []
        self._base = 0  # the minute (since the epoch) of column 0
        self._newest = -1  # the newest minute of any entity
        self._levelled = -1  # the minute as of which the usual levels of all were made the last time
        self._behind: set[int] = set()  # slots that have learned an earlier minute since then
        self._quarter = -1  # the newest quarter that was closed
        self._minutes: Floats = np.empty((0, len(COLUMNS), SPAN), dtype=np.float32)
        self._quarters: NDArray[np.float16] = np.empty((0, len(SEASONAL), QUARTERS), dtype=np.float16)
        self._last: NDArray[np.int64] = np.empty(0, dtype=np.int64)  # each one's newest minute, −1 for none
        self._tardy: NDArray[np.int64] = np.empty(0, dtype=np.int64)  # the last that came after others' next one
        self._median, self._spread = (np.empty((0, len(METRICS)), dtype=np.float32) for _ in range(2))
        self._calm, self._worst = (np.empty((0, len(METRICS)), dtype=np.float32) for _ in range(2))
        self._known: NDArray[np.int32] = np.empty(0, dtype=np.int32)  # minutes that its usual levels are made of
        self._reserve(_ENTITIES_FIRST)

    def _reserve(self, size: int) -> None:
        before = len(self._last)
        self._minutes, self._quarters = _grown(self._minutes, size, np.nan), _grown(self._quarters, size, np.nan)
        self._median, self._spread = _grown(self._median, size, np.nan), _grown(self._spread, size, np.nan)
        self._calm, self._worst = _grown(self._calm, size, np.nan), _grown(self._worst, size, np.nan)
        self._last, self._known = _grown(self._last, size, -1), _grown(self._known, size, 0)
        self._tardy = _grown(self._tardy, size, -1)
        self._free.extend(range(size - 1, before - 1, -1))

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, entity: Entity) -> bool:
        return entity in self._slots

    def learn(self, start_s: float, rows: Mapping[Entity, Sequence[float]]) -> list[Entity]:
        """Take in the closed minutes that began at `start_s`: values in the order of `COLUMNS`, NaN where not known.

        Returns those that were new: a minute that is not newer than an entity's last (a replay, a late correction) is
        left out. After a clock was set back by more than a quarter of an hour its later minutes are forgotten instead.
        """
        minute = int(start_s // MINUTE_S)
        self._move_to(minute)
        at: dict[Entity, int] = {}
        for entity in rows:
            slot = self._slot(entity)
            if minute <= self._last[slot]:
                if (self._last[slot] - minute) * MINUTE_S < SET_BACK_S:
                    continue
                self._minutes[slot, :, minute - self._base :] = np.nan
            at[entity] = slot
            if minute < self._levelled:
                self._behind.add(slot)
        new = [entity for entity in at if entity in self._slots]  # of too many in one minute the first are forgotten
        if new:
            slots = np.array([at[entity] for entity in new], dtype=np.intp)
            values = np.array([rows[entity] for entity in new], dtype=np.float64)
            self._minutes[slots, :, minute - self._base] = cleaned(values[..., None])[..., 0]
            self._last[slots] = minute
            if minute < self._newest:
                self._tardy[slots] = minute
        return new

    def fall_silent(self, start_s: float, heard: Collection[Entity]) -> None:
        """Nobody asked those who were not heard of in this minute while others of their organisation were.

        A window is made of requests, so an API without any has none; a recording says 0. Of those that were late in the
        last hour it is not said: their minute may still come.
        """
        at = int(start_s // MINUTE_S) - self._base
        speaking = {(entity.org, entity.environment) for entity in heard}
        slots = np.array([s for e, s in self._slots.items() if (e.org, e.environment) in speaking], dtype=np.intp)
        if 0 <= at < SPAN and len(slots):
            earlier = self._last[slots] < at + self._base  # who was heard of since was not there yet, or had a gap
            prompt = self._tardy[slots] < at + self._base - TARDY_MINUTES
            silent = slots[earlier & prompt & np.isnan(self._minutes[slots, COLUMN["requests"], at])]
            self._minutes[silent[:, None], _COUNTED, at] = 0

    def _slot(self, entity: Entity) -> int:
        slot = self._slots.pop(entity, None)
        if slot is None:
            if len(self._slots) >= self._entities_max:
                self._forget(next(iter(self._slots)))
            if not self._free:
                self._reserve(min(2 * len(self._last), len(self._last) + _CHUNK, self._entities_max))
            slot = self._free.pop()
        self._slots[entity] = slot
        return slot

    def _forget(self, entity: Entity) -> None:
        slot = self._slots.pop(entity)
        self._free.append(slot)
        self._minutes[slot] = np.nan
        self._quarters[slot] = np.nan
        self._last[slot] = self._tardy[slot] = -1
        self._median[slot] = self._spread[slot] = self._calm[slot] = self._worst[slot] = np.nan
        self._known[slot] = 0

    def _move_to(self, minute: int) -> None:
        """Make room for `minute`: what is older than the axis falls off its end."""
        if self._newest < 0 or minute < self._base or minute >= self._base + 2 * SPAN:
            self._minutes[:] = np.nan  # the first minute, or a clock that jumped by hours: nothing left to compare with
            self._median[:] = self._spread[:] = self._calm[:] = self._worst[:] = np.nan
            self._known[:] = 0
            self._levelled = -1
            self._base = minute - (SPAN - SLACK)
        elif minute >= self._base + SPAN:
            steps = minute - self._base - SPAN + SLACK
            kept = max(SPAN - steps, 0)
            for at in range(0, len(self._minutes), _CHUNK):
                some = self._minutes[at : at + _CHUNK]
                some[:, :, :kept] = some[:, :, SPAN - kept :]
            self._minutes[:, :, kept:] = np.nan
            self._base += steps
        if (self._newest - minute) * MINUTE_S >= SET_BACK_S:
            self._newest = self._levelled = -1
        self._newest = max(self._newest, minute)  # a late minute makes nobody's time earlier

    def renew(self, minute_end_s: float) -> None:
        """Make the usual levels anew that are due when the minute that ends now has been learned, and add up quarters.

        Nobody need have been asked in the very minute in which that is due: it is made up for, as of then.
        """
        self.settle()
        self.close_quarter(minute_end_s)

    def settle(self) -> None:
        """Make the usual levels anew of all that was learned, as of when they were due the last time."""
        end = self._newest + 1
        due = end // RENEWED_MINUTES * RENEWED_MINUTES
        if due != self._levelled:
            self._level(list(self._slots.values()), due)
            self._levelled = due
        elif self._behind:
            self._level(list(self._behind), due)
        self._behind.clear()
        if end != due:
            self._level([slot for slot in self._slots.values() if self._known[slot] < YOUNG_MINUTES], end)

    def _level(self, of: Sequence[int], end: int) -> None:
        due = np.array(of, dtype=np.intp)
        for at in range(0, len(due), _CHUNK):
            slots = due[at : at + _CHUNK]
            usual = usual_of(self._trailing(slots, end, REFERENCE_MINUTES, len(TRAFFIC)))
            self._median[slots], self._spread[slots] = usual.median, usual.spread
            self._calm[slots], self._worst[slots], self._known[slots] = usual.calm, usual.worst, usual.minutes

    def close_quarter(self, minute_end_s: float) -> None:
        """Add up the quarters of an hour that are over when this minute is, and were not added up yet.

        One that was is only done again when it ends with this minute: its minutes are learned a second time.
        """
        end = int(minute_end_s // MINUTE_S)
        number = end // _QUARTER_MINUTES - 1
        known = number <= self._quarter
        if not self._slots or (known and end % _QUARTER_MINUTES):
            return
        slots = np.array(list(self._slots.values()), dtype=np.intp)
        oldest = number if known or self._quarter < 0 else max(self._quarter + 1, number - SPAN // _QUARTER_MINUTES)
        self._begin_quarter(number)
        for each in range(oldest, number + 1):
            minutes = self._trailing(slots, (each + 1) * _QUARTER_MINUTES, _QUARTER_MINUTES, len(TRAFFIC))
            self._quarters[slots, :, each % QUARTERS] = quarter_of(minutes)

    def _begin_quarter(self, number: int) -> None:
        """Empty the places of the quarters since the last one: they still hold what was eight days before."""
        if self._quarter >= 0:
            for missed in range(max(self._quarter + 1, number - QUARTERS + 1), number + 1):
                self._quarters[:, :, missed % QUARTERS] = np.nan
        self._quarter = number

    def learn_quarters(self, start_s: float, rows: Mapping[Entity, tuple[float, float, float]]) -> None:
        """Take in what is stored of an earlier quarter of an hour: (rps, p95 in ms, error rate) of each entity.

        One that is older than the newest is only taken for entities that are here: it must push nobody out.
        """
        number = int(start_s // QUARTER_S)
        if number > self._quarter:
            self._begin_quarter(number)
            at = {entity: self._slot(entity) for entity in rows}
        elif number > self._quarter - QUARTERS:
            at = {entity: slot for entity in rows if (slot := self._slots.get(entity)) is not None}
        else:
            return  # its place is a newer one's
        known = [entity for entity in at if entity in self._slots]
        if known:
            slots = np.array([at[entity] for entity in known], dtype=np.intp)
            self._quarters[slots, :, number % QUARTERS] = halved(np.array([rows[entity] for entity in known]))

    def _trailing(self, slots: NDArray[np.intp], end: int, count: int, columns: int = len(COLUMNS)) -> Floats:
        """The last `count` minutes before minute `end`, (len(slots), C, count), or only the first so many columns."""
        rows = np.full((len(slots), columns, count), np.nan, dtype=np.float32)
        low, high = end - count - self._base, end - self._base
        first, last = max(low, 0), min(max(high, 0), SPAN)
        if last > first:
            rows[:, :, first - low : last - low] = self._minutes[:, :columns, first:last][slots]
        return rows

    def slots(self, entities: Iterable[Entity]) -> NDArray[np.intp]:
        """The slot of each, −1 where it is not known."""
        return np.array([self._slots.get(entity, -1) for entity in entities], dtype=np.intp)

    def trailing(self, slots: NDArray[np.intp], until_s: float, count: int) -> Floats:
        """The `count` minutes that ended at or before `until_s`, (n, C, count), oldest first, NaN where absent."""
        return self._trailing(slots, int(until_s // MINUTE_S), count)

    def usual(self, slots: NDArray[np.intp]) -> Usual:
        return Usual(
            self._median[slots], self._spread[slots], self._calm[slots], self._worst[slots], self._known[slots]
        )

    def season(self, slots: NDArray[np.intp], time_s: float) -> Floats:
        """See `season.seasonal`; of the quarter in which the minute that ends at `time_s` lies."""
        number = int((time_s - 1) // QUARTER_S)
        return seasonal(self._quarters[slots[:, None], :, ((number - np.array(BACK)) % QUARTERS)[None]])

    def bad_minutes(self, slots: NDArray[np.intp], until_s: float, count: int) -> NDArray[np.int64]:
        """How many of the last `count` closed minutes were failing, (n,)."""
        counted: NDArray[np.int64] = is_bad(
            self._trailing(slots, int(until_s // MINUTE_S), count, len(REQUIRED_COUNTS))
        ).sum(axis=-1)
        return counted

    def known_hours(self, slots: NDArray[np.intp], time_s: float) -> NDArray[np.float64]:
        """For how many hours something has been known of each, at most 24, (n,). Quiet nights in between do not count
        against it."""
        place = np.arange(QUARTERS)
        age = ((int(time_s // QUARTER_S) - 1 - place) % QUARTERS + 1).astype(np.int16)  # in quarters, by their place
        oldest = np.where(np.isnan(self._quarters[slots, 0]), np.int16(0), age).max(axis=1)
        hours: NDArray[np.float64] = np.minimum(oldest, DAY_QUARTERS) * (QUARTER_S / 3600)
        return hours

    def usable_minutes(self, slots: NDArray[np.intp], until_s: float | None = None) -> NDArray[np.int64]:
        """How many minutes could be compared with, (n,): of the whole axis, or of those that are at `until_s`."""
        if until_s is None:
            minutes = self._minutes[slots, : len(REQUIRED_COUNTS)]
        else:
            minutes = self._trailing(slots, int(until_s // MINUTE_S), REFERENCE_MINUTES, len(REQUIRED_COUNTS))
        counted: NDArray[np.int64] = is_usable(minutes).sum(axis=-1)
        return counted


def _grown(array: NDArray[T], size: int, fill: float) -> NDArray[T]:
    """The same array with so many slots; the system moves its pages, so that there are never two of it."""
    before = len(array)
    array.resize((size, *array.shape[1:]), refcheck=False)  # nobody else holds it: whoever asks is given copies
    array[before:] = fill
    return array
