"""Recorded minutes put together as a `System`: what was not recorded is NaN, a minute without traffic is zero. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.adapters.embedded.minutes import MinuteRows
from foregate.predict.evaluate.system import COLUMN, System
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS

GAP_MINUTES_MIN: Final = 10  # in which nobody asked anything: taken for minutes that were not recorded
COUNTED: Final = ("requests", "errors", "timeouts", "client_errors", "limited", "broken", "retries", "inflight_max")


def assemble(
    org: str,
    entities: Sequence[Entity],
    start_s: int,
    minutes: int,
    parts: Iterable[MinuteRows],
    calls: frozenset[tuple[str, str]] = frozenset(),
) -> System:
    """The minutes of these entities from `start_s` on. Of two rows of one minute the later part's holds.

    An entity that had no window in a minute while others had is taken to have had no traffic, from its first window to
    its last; before and after it was not there.
    """
    number = {entity: i for i, entity in enumerate(entities)}
    table = np.full((len(entities), len(COLUMNS), minutes), np.nan, dtype=np.float32)
    for rows in parts:
        of = np.array([number.get(entity, -1) for entity in rows.entities], dtype=np.int64)
        entity = of[rows.entity] if len(of) else rows.entity
        minute = (rows.time_s - start_s) // 60
        chosen = (entity >= 0) & (minute >= 0) & (minute < minutes)
        table[entity[chosen], :, minute[chosen]] = rows.values[chosen]
    _fill(table)
    return System(org, float(start_s), tuple(entities), table, calls)


def _fill(table: NDArray[np.float32]) -> None:
    """Zeros where there was no traffic."""
    seen = np.isfinite(table[:, COLUMN["requests"], :])
    recorded = _recorded(np.asarray(seen.any(axis=0)))
    alive = np.logical_or.accumulate(seen, axis=1) & np.logical_or.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    empty = alive & recorded & ~seen
    for name in COUNTED:
        table[:, COLUMN[name], :][empty] = 0.0


def _recorded(any_seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Minutes that were recorded: all but the gaps of `GAP_MINUTES_MIN` and more."""
    recorded = np.ones_like(any_seen)
    steps = np.flatnonzero(np.diff(np.concatenate([[True], any_seen, [True]]).astype(np.int8)))
    for low, high in zip(steps[::2], steps[1::2], strict=True):
        if high - low >= GAP_MINUTES_MIN:
            recorded[low:high] = False
    return recorded
