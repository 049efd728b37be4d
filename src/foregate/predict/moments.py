"""From minutes to feature rows: of the entities of a tick, and of a recording. Both end in the same functions.

At the end of a minute the entity is seen like this, live and in a recording: that minute as the present one, the 59
before it, what is usual as it was when the present minute began, and what stands beside the windows (`LAGGED`) as the
minute before left it, because live it is read once a minute.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.system import System
from foregate.predict.features import FEATURES, Frame, Neighbourhood, health, matrix
from foregate.predict.features.around import AROUND, Call
from foregate.predict.features.frame import WINDOW_MINUTES
from foregate.predict.panel import MINUTE_S, Panel
from foregate.predict.season import BACK, QUARTER_S, SEASONAL, quarter_of, seasonal
from foregate.predict.usual import (
    COLUMN,
    REFERENCE_MINUTES,
    RENEWED_MINUTES,
    YOUNG_MINUTES,
    Floats,
    Usual,
    cleaned,
    is_usable,
    known_minutes,
    usual_of,
)
from foregate.wire.entity import Entity
from foregate.wire.minutes import TRAFFIC

LAGGED: Final = tuple(
    COLUMN[name] for name in (
        "quota_left", "budget_left", "disk_left", "memory_left", "connections_left", "workers_left", "cert_left_s",
        "deploys", "config_changes", "time_limit_ms",
    )
)  # fmt: skip
MOMENTS_AT_ONCE: Final = 4_096  # frames of so many are made at a time: bounds the memory that takes
NOBODY: Final[Mapping[Entity, Floats]] = {}
_PAD: Final = REFERENCE_MINUTES + WINDOW_MINUTES


def live_frame(
    panel: Panel,
    entities: Sequence[Entity],
    time_s: float,
    now: Floats,
    calls: Collection[Call] = (),
    others: Mapping[Entity, Floats] = NOBODY,
) -> Frame:
    """The moments of one tick. `now` (n, C): the minute that ends at `time_s`; every entity must be in the panel.

    `others`: how those are of whom no moments are made, see `live_health`: they are around, too. An API that fails
    already is not judged, and it is what those who call it must be told of.
    """
    frame = _moments(panel, entities, time_s, now)
    of = np.concatenate([health(frame), *(row[None] for row in others.values())])
    frame.around[:] = Neighbourhood([*entities, *others], calls).around(of)[: len(entities)]
    return frame


def live_health(panel: Panel, entities: Sequence[Entity], time_s: float, now: Floats) -> Floats:
    """How each is, (n, len(HEALTH)); arguments as of `live_frame`."""
    return health(_moments(panel, entities, time_s, now))


def _moments(panel: Panel, entities: Sequence[Entity], time_s: float, now: Floats) -> Frame:
    """With nobody around."""
    slots = panel.slots(entities)
    rows = np.empty((len(slots), now.shape[1], WINDOW_MINUTES), dtype=np.float32)
    # A closed minute that overlaps the present one by more than half says the same thing twice and is left out.
    rows[:, :, :-1] = panel.trailing(slots, time_s - MINUTE_S / 2, WINDOW_MINUTES - 1)
    rows[:, :, -1] = cleaned(now[..., None])[..., 0]
    rows[:, LAGGED, -1] = rows[:, LAGGED, -2]
    around = np.full((len(slots), len(AROUND)), np.nan, dtype=np.float32)
    return Frame(rows, panel.usual(slots), panel.season(slots, time_s), np.full(len(slots), time_s), around)


class Recorded:
    """The feature rows of a recording, at any of its minutes."""

    def __init__(self, system: System) -> None:
        self._entities = len(system.entities)
        self._first = int(system.start_s // MINUTE_S)
        clean = cleaned(system.minutes)
        self._minutes = np.concatenate([np.full((*clean.shape[:2], _PAD), np.nan, dtype=np.float32), clean], axis=2)
        self._traffic = np.ascontiguousarray(self._minutes[:, : len(TRAFFIC)])
        usable = np.cumsum(is_usable(self._minutes), axis=1, dtype=np.int32)
        usable = np.concatenate([np.zeros((self._entities, 1), dtype=np.int32), usable], axis=1)
        trailing = usable[:, _PAD:].copy()
        trailing -= usable[:, _PAD - REFERENCE_MINUTES : usable.shape[1] - REFERENCE_MINUTES]
        self._known = known_minutes(trailing)  # (E, N + 1): at the beginning of each minute
        self._quarters = _quarters(clean, self._first)
        pairs = {(e.org, e.environment) for e in system.entities}
        calls = {(org, env, caller, called) for org, env in pairs for caller, called in system.calls}
        self._neighbourhood = Neighbourhood(system.entities, calls)

    def rows(self, minutes: NDArray[np.intp]) -> Floats:
        """The features of every entity at the end of each of `minutes` (J,): (E, J, F)."""
        parts = [rows for _, rows in self._blocks(minutes)]
        return np.concatenate(parts, axis=1) if parts else np.empty((self._entities, 0, len(FEATURES)), np.float32)

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Those of every minute, (E, J, F) of J minutes in a row at a time: all at once may be more than fits."""
        return self._blocks(np.arange(self._minutes.shape[2] - _PAD))

    def _blocks(self, minutes: NDArray[np.intp]) -> Iterator[tuple[slice, Floats]]:
        size = max(1, MOMENTS_AT_ONCE // max(self._entities, 1))
        for at in range(0, len(minutes), size):
            rows = matrix(self.frame(minutes[at : at + size]))
            yield slice(at, at + size), rows.reshape(self._entities, -1, rows.shape[1])

    def frame(self, minutes: NDArray[np.intp]) -> Frame:
        """The moments of all entities at these minutes; entity by entity, E · J of them."""
        e, j = self._entities, len(minutes)
        index = minutes[:, None] + _PAD + np.arange(1 - WINDOW_MINUTES, 1)
        rows = self._minutes[:, :, index].transpose(0, 2, 1, 3).reshape(e * j, self._minutes.shape[1], WINDOW_MINUTES)
        rows[:, LAGGED, -1] = rows[:, LAGGED, -2]
        time_s = (self._first + minutes + 1.0) * MINUTE_S
        around = np.full((e * j, len(AROUND)), np.nan, dtype=np.float32)
        frame = Frame(rows, self._usual(minutes), self._season(minutes), np.tile(time_s, e), around)
        frame.around[:] = self._neighbourhood.around(health(frame).reshape(e, j, -1)).reshape(e * j, -1)
        return frame

    def _usual(self, minutes: NDArray[np.intp]) -> Usual:
        """As it was renewed last when each minute began: the same arithmetic as `Panel.renew`."""
        every, at = np.arange(self._entities)[:, None], np.broadcast_to(minutes, (self._entities, len(minutes)))
        renewed = at - (self._first + at) % RENEWED_MINUTES
        for _ in range(RENEWED_MINUTES - 1):
            young = self._known[every, np.maximum(renewed, 0)] < YOUNG_MINUTES
            renewed = np.where((renewed < at) & young, renewed + 1, renewed)
        keys, back = np.unique((every * (2 << 40) + renewed + _PAD).ravel(), return_inverse=True)
        entity, end = keys // (2 << 40), keys % (2 << 40)
        parts = []
        for low in range(0, len(keys), 1_024):
            chosen = slice(low, low + 1_024)
            index = end[chosen, None] + np.arange(-REFERENCE_MINUTES, 0)
            inside = np.maximum(index, 0)
            past = self._traffic[entity[chosen, None], :, inside].transpose(0, 2, 1)
            parts.append(usual_of(np.where(index[:, None, :] >= 0, past, np.float32(np.nan))))
        joined = Usual(
            *(
                np.concatenate([getattr(p, name) for p in parts])
                for name in ("median", "spread", "calm", "worst", "minutes")
            )
        )
        return joined.take(back)

    def _season(self, minutes: NDArray[np.intp]) -> Floats:
        """Of the quarter in which each minute lies, from earlier days alone."""
        per_quarter = QUARTER_S // MINUTE_S
        number = (self._first + minutes) // per_quarter - self._first // per_quarter
        index = number[:, None] - np.array(BACK)  # (J, 6), negative where it was before the recording
        past = self._quarters[:, np.maximum(index, 0)]
        past[:, index < 0] = np.nan
        return seasonal(past.reshape(-1, len(BACK), len(SEASONAL)))


def _quarters(clean: Floats, first: int) -> NDArray[np.float16]:
    """(E, Q, len(SEASONAL)): the quarters of a recording, the first and last one perhaps in part."""
    per_quarter = QUARTER_S // MINUTE_S
    before = first % per_quarter
    after = -(before + clean.shape[2]) % per_quarter
    padded = np.pad(clean, ((0, 0), (0, 0), (before, after)), constant_values=np.nan)
    of = padded.reshape(*clean.shape[:2], -1, per_quarter).transpose(0, 2, 1, 3)
    return quarter_of(of)
