"""A system's recorded minutes: what features, detectors, baselines and the protocol are given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, FaultNote

COLUMN: Final = {name: index for index, name in enumerate(COLUMNS)}


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """E entities that belong together (one company, one cluster) over N minutes in a row.

    `minutes`: shape (E, len(COLUMNS), N), NaN where nothing was recorded; column j is the minute that begins at
    `start_s + 60 j` (Unix seconds, whole minutes). `calls`: (caller service, called service). `name` is the group
    that is never split between learning and judging.
    """

    name: str
    start_s: float
    entities: tuple[Entity, ...]
    minutes: NDArray[np.float32]
    calls: frozenset[tuple[str, str]] = frozenset()
    faults: tuple[FaultNote, ...] = ()

    def of(self, column: str) -> NDArray[np.float32]:
        """One column of all entities, shape (E, N)."""
        chosen: NDArray[np.float32] = self.minutes[:, COLUMN[column], :]
        return chosen


# Scores of a system, shape (E, N): [e, j] is said at the end of minute j, from minutes ≤ j alone; higher is riskier,
# NaN where the scorer has nothing to say (such a moment is judged as never alarmed).
Scorer = Callable[[System], NDArray[np.float64]]
