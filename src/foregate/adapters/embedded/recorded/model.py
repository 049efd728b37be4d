"""What a recording is, and what it may not exceed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, FaultNote

KEYS: Final = ("system", "org", "service", "route", "environment")
TIME: Final = "time"
ENTITIES_MAX: Final = 10_000  # of all files of one reading: one more is refused
CELLS_MAX: Final = 400_000_000  # entities × columns × minutes, 4 bytes each: a recording with more is refused
COLUMN: Final = {name: index for index, name in enumerate(COLUMNS)}


class BadRecording(Exception):
    """A file that cannot be meant so; the sentence says where and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A system's minutes: `minutes` has shape (entities, len(COLUMNS), N), NaN where nothing was recorded.

    Column j is the minute that begins at `start_s + 60 j` (Unix seconds). `calls`: (caller service, called service).
    """

    name: str
    start_s: float
    entities: tuple[Entity, ...]
    minutes: NDArray[np.float32]
    calls: frozenset[tuple[str, str]] = frozenset()
    faults: tuple[FaultNote, ...] = ()


def stem_of(path: Path) -> str:
    """The name of a file without .parquet, .csv or .csv.gz: its side files begin so."""
    name = path.name
    for ending in (".csv.gz", ".csv", ".parquet"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return path.stem
