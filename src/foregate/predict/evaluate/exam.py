"""Many systems as one exam: the moments that count, and what followed each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.system import System
from foregate.predict.evaluate.truth import Bools, Ints, Truth, truth_of

Floats = NDArray[np.float64]
WHOLE: Final = (0.0, 1.0)
MINUTES_PER_DAY: Final = 1440


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """n scored moments and K failures of R entities in S systems, for one horizon.

    A key counts minutes over all entities, one after the other, with a gap of more than a horizon between two of them:
    so what lies within a horizon of a key is of the same entity. `key`, `row` (entity), `label`, `early` (before the
    entity's first failure): (n,), ascending. `onset_key`, `onset_row`, `counted`, `first`, `causes`: (K,), ascending.
    `system`: (R,) the number of each entity's system.
    """

    horizon_min: int
    names: tuple[str, ...]
    system: Ints
    key: Ints
    row: Ints
    label: Bools
    early: Bools
    onset_key: Ints
    onset_row: Ints
    counted: Bools
    first: Bools
    causes: tuple[str, ...]
    chosen: tuple[Bools, ...]  # of each system: which of its moments count, (E, N)

    @property
    def rows(self) -> int:
        return len(self.system)

    @property
    def base_rate(self) -> float:
        return float(self.label.mean()) if len(self.label) else 0.0

    @property
    def days(self) -> Floats:
        """(R,): days of scored time of each entity: what false alarms per API and day are counted on."""
        return np.bincount(self.row, minlength=self.rows) / MINUTES_PER_DAY

    @property
    def events(self) -> Ints:
        """(R,): failures of each entity that count."""
        return np.bincount(self.onset_row[self.counted], minlength=self.rows)

    def answers(self, scores: Sequence[NDArray[np.float64]]) -> Floats:
        """The scores (E, N) of each system, at the moments that count: (n,), −∞ where nothing was said."""
        given = [s[chosen] for s, chosen in zip(scores, self.chosen, strict=True)]
        flat = np.concatenate(given) if given else np.zeros(0)
        return np.where(np.isnan(flat), -np.inf, flat).astype(np.float64)


def exam_of(systems: Sequence[System], horizon_s: int, span: tuple[float, float] = WHOLE) -> Exam:
    """The exam of some systems, or of a stretch of their time (shares of it; what follows must lie in it too)."""
    truths = [_within(truth_of(system, horizon_s), span) for system in systems]
    horizon_min = horizon_s // 60
    parts: list[tuple[NDArray[np.int64], ...]] = []
    offset = row = 0
    for number, truth in enumerate(truths):
        entities, minutes = truth.scored.shape
        stride = minutes + horizon_min + 1
        entity, minute = np.nonzero(truth.scored)
        first = np.full(entities, minutes)
        np.minimum.at(first, truth.entity, truth.onset)
        parts.append(
            (
                np.full(entities, number),
                offset + entity * stride + minute,
                row + entity,
                truth.label[truth.scored].astype(np.int64),
                (minute < first[entity]).astype(np.int64),
                offset + truth.entity * stride + truth.onset,
                row + truth.entity,
                truth.counted.astype(np.int64),
                truth.first.astype(np.int64),
            )
        )
        offset += entities * stride
        row += entities
    columns = [np.concatenate(column) if parts else np.zeros(0, dtype=np.int64) for column in _turned(parts)]
    system, key, rows, label, early, onset_key, onset_row, counted, firsts = columns
    return Exam(
        horizon_min=horizon_min,
        names=tuple(each.name for each in systems),
        system=system,
        key=key,
        row=rows,
        label=label.astype(bool),
        early=early.astype(bool),
        onset_key=onset_key,
        onset_row=onset_row,
        counted=counted.astype(bool),
        first=firsts.astype(bool),
        causes=tuple(cause for truth in truths for cause in truth.causes),
        chosen=tuple(truth.scored for truth in truths),
    )


def _turned(parts: list[tuple[Ints, ...]]) -> list[list[Ints]]:
    return [[part[i] for part in parts] for i in range(9)]


def _within(truth: Truth, span: tuple[float, float]) -> Truth:
    if span == WHOLE:
        return truth
    minutes = truth.scored.shape[1]
    low, high = int(span[0] * minutes), int(span[1] * minutes)
    inside = np.zeros(minutes, dtype=bool)
    inside[low : high - truth.horizon_min] = True
    counted = truth.counted & (truth.onset >= low + truth.horizon_min) & (truth.onset < high)
    return Truth(
        truth.horizon_min,
        truth.scored & inside,
        truth.label,
        truth.entity,
        truth.onset,
        counted,
        truth.first,
        truth.causes,
    )
