"""Bounded sums of what objectives count: the last hours by the minute, days by the hour, the period by the day."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from foregate.wire.entity import Entity

Floats = npt.NDArray[np.float64]
COUNTED: Final = 4  # numbers per cell: requests, errors, requests with a latency, slow ones of these
MINUTES: Final = 360  # of the 6 hours that rules look at by the minute
HOURS: Final = 74  # of the 3 days that they look at by the hour
DAYS: Final = 91  # of the longest period
_ROOM: Final = 64  # entities that there is room for at first


class Ring:
    """The last `size` steps of all rows. Cell `step % size` holds a step; `newest` is the last one begun.

    `cells`: (size, rows, COUNTED) float32: exact up to 16 million requests per step, and to 6e-8 of more.
    """

    def __init__(self, size: int) -> None:
        self.newest = -1
        self._size = size
        self.cells = np.zeros((size, _ROOM, COUNTED), np.float32)

    def holds(self, step: int) -> bool:
        return step > self.newest - self._size

    def begin(self, step: int) -> None:
        """Everything between the newest step and this one was silent."""
        if step > self.newest:
            for gone in range(max(self.newest + 1, step - self._size + 1), step + 1):
                self.cells[gone % self._size] = 0.0
            self.newest = step

    def rewind(self, step: int) -> None:
        """Forget what is after `step`: the clock was set back."""
        for gone in range(max(step + 1, self.newest - self._size + 1), self.newest + 1):
            self.cells[gone % self._size] = 0.0
        self.newest = min(self.newest, step)

    def cell(self, step: int) -> npt.NDArray[np.float32]:
        """(rows, COUNTED) of a step that the ring holds."""
        found: npt.NDArray[np.float32] = self.cells[step % self._size]
        return found

    def sum(self, last: int, steps: int) -> Floats:
        """(rows, COUNTED) of the `steps` that end with `last`, as far as the ring holds them."""
        first = max(last - steps + 1, self.newest - self._size + 1)
        at = [step % self._size for step in range(first, min(last, self.newest) + 1)]
        total: Floats = self.cells[at].sum(axis=0, dtype=np.float64)
        return total

    def grow(self, rows: int) -> None:
        more = np.zeros((self._size, rows, COUNTED), np.float32)
        more[:, : self.cells.shape[1]] = self.cells
        self.cells = more


class Sums:
    """What was counted for each entity, `entities_max` at most: more are refused, and counted in `refused`."""

    def __init__(self, entities_max: int) -> None:
        self._entities_max = entities_max
        self._rows: dict[Entity, int] = {}
        self._free: list[int] = []
        self._rings = {60: Ring(MINUTES), 3_600: Ring(HOURS), 86_400: Ring(DAYS)}
        self.first_s = np.full(_ROOM, np.inf)
        self.last_s = np.full(_ROOM, -np.inf)
        self.refused = 0

    @property
    def rows(self) -> dict[Entity, int]:
        return self._rows

    def add_minute(self, entity: Entity, start_s: float, counted: Iterable[float]) -> None:
        """A closed minute. The same minute again replaces what was counted for it, within `MINUTES`."""
        row, minute = self._row(entity, start_s, 60.0), int(start_s // 60)
        if row is None:
            return
        ring, numbers = self._rings[60], np.fromiter(counted, np.float32, COUNTED)
        ring.begin(minute)
        change = numbers
        if ring.holds(minute):
            cell = ring.cell(minute)
            change = numbers - cell[row]
            cell[row] = numbers
        self._add(row, start_s, change)

    def add_longer(self, entity: Entity, start_s: float, span_s: int, counted: Iterable[float]) -> None:
        """A window of a quarter of an hour or an hour, whose minutes are not told: at the start, of the past."""
        row = self._row(entity, start_s, span_s)
        if row is not None:
            self._add(row, start_s, np.fromiter(counted, np.float32, COUNTED))

    def _add(self, row: int, start_s: float, change: npt.NDArray[np.float32]) -> None:
        for step_s in (3_600, 86_400):
            ring, step = self._rings[step_s], int(start_s // step_s)
            ring.begin(step)
            if ring.holds(step):
                ring.cell(step)[row] += change

    def of_last(self, window_s: int, time_s: float) -> Floats:
        """(rows, COUNTED) of the last `window_s`: by the minute up to 6 hours, else by the hour, this one included."""
        step_s = 60 if window_s <= MINUTES * 60 else 3_600
        # The minute that holds `time_s` is not closed yet; of the hour its closed minutes are counted.
        last = int(time_s // step_s) - (1 if step_s == 60 else 0)
        return self._rings[step_s].sum(last, window_s // step_s)

    def of_days(self, days: int, time_s: float) -> Floats:
        """(rows, COUNTED) of the last `days` days (UTC), today included."""
        return self._rings[86_400].sum(int(time_s // 86_400), days)

    def rewind(self, time_s: float) -> None:
        """The clock was set back to `time_s`: what lies ahead of it never was."""
        for step_s, ring in self._rings.items():
            ring.rewind(int(time_s // step_s))
        np.minimum(self.last_s, time_s, out=self.last_s)

    @property
    def newest_s(self) -> float:
        """The start of the newest minute counted, of any entity."""
        return self._rings[60].newest * 60.0

    def forget(self, entity: Entity) -> None:
        row = self._rows.pop(entity)
        for ring in self._rings.values():
            ring.cells[:, row] = 0.0
        self.first_s[row], self.last_s[row] = np.inf, -np.inf
        self._free.append(row)

    def _row(self, entity: Entity, start_s: float, span_s: float) -> int | None:
        row = self._rows.get(entity)
        if row is None:
            if len(self._rows) >= self._entities_max:
                self.refused += 1
                return None
            row = self._rows[entity] = self._free.pop() if self._free else len(self._rows)
            if row >= len(self.first_s):
                self._grow(2 * len(self.first_s))
        self.first_s[row] = min(self.first_s[row], start_s)
        self.last_s[row] = max(self.last_s[row], start_s + span_s)
        return row

    def _grow(self, rows: int) -> None:
        for ring in self._rings.values():
            ring.grow(rows)
        self.first_s = np.concatenate([self.first_s, np.full(rows - len(self.first_s), np.inf)])
        self.last_s = np.concatenate([self.last_s, np.full(rows - len(self.last_s), -np.inf)])
