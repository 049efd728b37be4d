"""Simple windows: what anybody would compute first. Two of the learned baselines see nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.baselines.trailing import Floats, late, ratio, trailing_mean, trailing_sum
from foregate.predict.evaluate.system import System

_LOGS: Final = ("p95_ms", "p50_ms", "requests", "inflight_max")
_RATES: Final = ("errors", "timeouts", "retries", "client_errors")
_WINDOWS_MIN: Final = (1, 5, 15)
_KINDS: Final = ("1m", "5m", "15m", "1m-15m", "5m-15m", "5m-past")
_ENTITIES_AT_ONCE: Final = 64
NAMES: Final = tuple(f"{name} {kind}" for name in (*_LOGS, *_RATES) for kind in _KINDS)
RELATIVE: Final = tuple(name.endswith("past") for name in NAMES)  # to the entity's own past hour


def by_entities(system: System) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """The windows of some entities after the other: of all at once they are several times the recording."""
    for first in range(0, len(system.entities), _ENTITIES_AT_ONCE):
        some = slice(first, first + _ENTITIES_AT_ONCE)
        yield some, simple_windows(replace(system, entities=system.entities[some], minutes=system.minutes[some]))


def simple_windows(system: System) -> NDArray[np.float32]:
    """(E, N, len(NAMES)): levels over 1, 5 and 15 minutes, their differences, and 5 minutes against the past hour.

    Latencies and counts as logarithms, the rest as shares of the requests. NaN where nothing was recorded.
    """
    columns: list[NDArray[np.float32]] = []
    for name in (*_LOGS, *_RATES):
        one, five, fifteen, hour = (_level(system, name, minutes) for minutes in (*_WINDOWS_MIN, 60))
        made = (one, five, fifteen, one - fifteen, five - fifteen, five - late(hour, 15))
        columns.extend(column.astype(np.float32) for column in made)
    return np.stack(columns, axis=2)


def _level(system: System, name: str, minutes: int) -> Floats:
    if name in _LOGS:
        return trailing_mean(np.log1p(system.of(name)), minutes)
    share = ratio(trailing_sum(system.of(name), minutes), trailing_sum(system.of("requests"), minutes))
    unknown = np.isnan(system.of(name)).all(axis=1)  # a column that this recording does not have
    share[unknown] = np.nan
    return share
