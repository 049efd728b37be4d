"""The validation moments that a booster in the making is asked about: of all recorded minutes only those that count."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.exam import Exam
from foregate.predict.evaluate.system import System
from foregate.predict.examples import Each
from foregate.predict.features import FEATURES
from foregate.predict.models.rules import ruled
from foregate.predict.moments import Recorded

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The features (M, F) of each system's moments that count for any horizon, entity by entity; `kept` (E, N): which.

    The only copy: some 400 bytes a moment. Of each exam's moments a part at a time is taken from it.
    """

    rows: tuple[Rows, ...]
    kept: tuple[Bools, ...]

    @classmethod
    def of(cls, systems: Sequence[System], exams: Sequence[Exam], each: Each = map) -> "Asked":
        """`exams`: of these systems, one per horizon."""
        kept = tuple(np.logical_or.reduce(chosen) for chosen in zip(*(exam.chosen for exam in exams), strict=True))
        return cls(tuple(each(_rows_at, list(zip(systems, kept, strict=True)))), kept)

    def parts(self, exam: Exam) -> Iterator[tuple[slice, Rows]]:
        """Of each system: where its moments stand among the exam's n, and their rows."""
        at = 0
        for rows, kept, chosen in zip(self.rows, self.kept, exam.chosen, strict=True):
            moments = rows[chosen[kept]]
            yield slice(at, at + len(moments)), moments
            at += len(moments)

    def drawn(self, exam: Exam, which: Bools) -> Rows:
        """The rows of some of the exam's moments, `which` (n,)."""
        return np.concatenate([rows[which[at]] for at, rows in self.parts(exam)])

    def margins(self, booster: Any, exam: Exam) -> Floats:
        """The booster's log-odds at each of the exam's moments, (n,)."""
        margins = np.empty(len(exam.label))
        for at, rows in self.parts(exam):
            margins[at] = booster.inplace_predict(rows, predict_type="margin")
        return margins

    def ruled(self, log_odds: Floats, exam: Exam, horizon_s: float) -> Floats:
        """These log-odds (n,) with what needs no learning."""
        parts = [ruled(log_odds[at], rows, horizon_s) for at, rows in self.parts(exam)]
        return np.concatenate(parts)


def _rows_at(asked: tuple[System, Bools]) -> Rows:
    """The features of the kept moments (E, N), made of some minutes at a time."""
    system, kept = asked
    place = np.cumsum(kept).reshape(kept.shape) - 1
    made = np.empty((int(kept.sum()), len(FEATURES)), dtype=np.float32)
    for minutes, rows in Recorded(system).blocks():
        some = kept[:, minutes]
        made[place[:, minutes][some]] = rows[some]
    return made
