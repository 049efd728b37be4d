"""Labelled series from a folder, as a detector would have met them: values at even steps, and gaps."""

from __future__ import annotations

import csv
import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

GAP_MAX: Final = 2000  # steps: a longer gap is told as one of so many
WINDOWS: Final = "labels/combined_windows.json"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One labelled series. `values`, `label`: shape (n,), as in the file; `at`: each one's step from the first.

    `step_s` is the median distance of two times; a longer distance is a gap of as many steps. `name` is
    "<group>/<file>"; half of all names, by their hash, are the development part.
    """

    name: str
    group: str
    step_s: float
    values: NDArray[np.float64]
    label: NDArray[np.bool_]
    at: NDArray[np.int64]

    @property
    def development(self) -> bool:
        """Whether something may be chosen by this series."""
        return hashlib.sha256(self.name.encode()).digest()[0] % 2 == 0

    @property
    def days(self) -> float:
        """How long the series is, gaps left out."""
        return len(self.values) * self.step_s / 86_400


def read(folder: Path) -> list[Series]:
    """All series of a folder, by name.

    Two layouts: `data/<group>/*.csv` with the windows of anomalies in labels/combined_windows.json (the Numenta
    benchmark), or CSV files with the columns TimeStamp, Value, Label anywhere below the folder. A file that is not
    such a series raises ValueError with its name and line; so does a folder without any.
    """
    windows = folder / WINDOWS
    marks = (
        msgspec.json.decode(windows.read_bytes(), type=dict[str, list[tuple[str, str]]]) if windows.exists() else None
    )
    found = [_series(path, marks) for path in sorted(folder.rglob("*.csv"))]
    if not found:
        raise ValueError(f"{folder} holds no labelled series (*.csv)")
    return found


def _series(path: Path, marks: dict[str, list[tuple[str, str]]] | None) -> Series:
    name = f"{path.parent.name}/{path.name}"
    times, values, labels = [], [], []
    for number, row in _rows(path):
        try:
            times.append(_seconds(row[0]))
            values.append(float(row[1]) if row[1] else math.nan)
            labels.append(marks is None and float(row[2] or 0) > 0)
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path} line {number}: not a time, a value and a label ({error})") from error
    if len(times) < 2:
        raise ValueError(f"{path} holds fewer than two values")
    when = np.asarray(times)
    label = np.asarray(labels) if marks is None else _within(when, marks.get(name, []))
    step_s = float(np.median(np.diff(when)))
    if step_s <= 0:
        raise ValueError(f"{path} is not in the order of time")
    steps = np.clip(np.round(np.diff(when, prepend=when[0] - step_s) / step_s), 1, GAP_MAX)
    return Series(name, path.parent.name, step_s, np.asarray(values), label, (np.cumsum(steps) - 1).astype(np.int64))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines after the head, each with its number."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        try:
            yield from itertools.islice(enumerate(rows, start=1), 1, None)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} line {rows.line_num}: {error}") from error


def _seconds(text: str) -> float:
    """A time without a zone is UTC: summer time on the reader's machine is no gap."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _within(when: NDArray[np.float64], windows: Iterable[tuple[str, str]]) -> NDArray[np.bool_]:
    label = np.zeros(len(when), dtype=np.bool_)
    for first, last in windows:
        begin_s, end_s = (_seconds(moment) for moment in (first, last))
        label |= (when >= begin_s) & (when <= end_s)
    return label
