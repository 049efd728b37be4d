"""Recorded minutes put together as a `System`: what was not recorded is NaN, a minute without traffic is zero. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.adapters.embedded.minutes import MinuteRows
from foregate.predict.evaluate.system import COLUMN, System
from foregate.wire.change import BY_CONFIGURATION, DEPLOYS, Change
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, COUNTED

GAP_MINUTES_MIN: Final = 10  # in which nobody asked anything: taken for minutes that were not recorded


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


def mark_changes(system: System, changes: Sequence[Change], configured: Callable[[Entity], bool]) -> None:
    """Count deployments, and changes of the configuration, in the minutes of those whom they concern; zero in the other
    recorded minutes, as live. `configured`: whether an entity is one of this gateway's own."""
    for i, entity in enumerate(system.entities):
        recorded = np.isfinite(system.of("requests")[i])
        concerned = [change for change in changes if change.concerns(entity)]
        deploys = [change.time_s for change in concerned if change.kind in DEPLOYS]
        _count(system.of("deploys")[i], deploys, system.start_s, recorded)
        if configured(entity):
            times_s = {change.time_s for change in concerned if change.kind in BY_CONFIGURATION}
            _count(system.of("config_changes")[i], sorted(times_s), system.start_s, recorded)


def _count(row: NDArray[np.float32], times_s: Sequence[float], start_s: float, recorded: NDArray[np.bool_]) -> None:
    row[recorded] = 0.0
    at = ((np.array(times_s, dtype=np.float64) - start_s) // 60).astype(np.int64)
    at = at[(at >= 0) & (at < len(row))]
    np.add.at(row, at[recorded[at]], 1.0)


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
