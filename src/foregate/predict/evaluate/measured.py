"""What prediction is worth for those who measure something, and for those who do not: systems told apart by columns.

The alarms are those of the whole part, with its thresholds: nothing is chosen anew for a group of its systems.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from foregate.predict.evaluate.exam import Exam
from foregate.predict.evaluate.intervals import Resamples, interval
from foregate.predict.evaluate.paging import Paging
from foregate.predict.evaluate.results import ForeseenResult, MeasuredResult, Which
from foregate.predict.evaluate.system import System
from foregate.predict.evaluate.truth import Bools

COLUMN_OF: Final = {
    "memory": "memory_left",
    "connections": "connections_left",
    "workers": "workers_left",
    "quota": "quota_left",
    "certificates": "cert_left_s",
    "waits": "queue_mean_ms",
}
RUNTIME: Final = ("memory", "connections", "workers")  # what a process tells of itself

_GROUPS: Final[tuple[tuple[tuple[str, ...], Which], ...]] = (
    *(((signal,), which) for signal in COLUMN_OF for which in ("all", "none")),
    *((RUNTIME, which) for which in ("none", "any", "all")),
)


def measured_in(system: System) -> frozenset[str]:
    """The signals, names of `COLUMN_OF`, of which any minute of any API is known."""
    return frozenset(name for name, column in COLUMN_OF.items() if not np.isnan(system.of(column)).all())


def measured_results(
    systems: Sequence[System], exam: Exam, pages: Mapping[str, Paging], draws: Resamples
) -> tuple[MeasuredResult, ...]:
    """One per group of `systems`, those of the exam; a group may be empty. `pages`: what each scorer did."""
    measured = [measured_in(system) for system in systems]
    results = []
    for signals, which in _GROUPS:
        chosen = np.array([_belongs(known, signals, which) for known in measured], dtype=bool)
        rows = chosen[exam.system]
        results.append(
            MeasuredResult(
                signals=signals,
                measured=which,
                systems=int(chosen.sum()),
                api_days=float(exam.days[rows].sum()),
                failures=int(exam.events[rows].sum()),
                scorers=tuple(_foreseen(name, exam, at, rows, draws) for name, at in pages.items()),
            )
        )
    return tuple(results)


def _belongs(known: frozenset[str], signals: tuple[str, ...], which: Which) -> bool:
    found = sum(signal in known for signal in signals)
    return {"none": found == 0, "any": found > 0, "all": found == len(signals)}[which]


def _foreseen(name: str, exam: Exam, at: Paging, rows: Bools, draws: Resamples) -> ForeseenResult:
    """`rows`: which entities are of the group, (R,)."""
    hits = np.bincount(exam.onset_row[at.hit & exam.counted], minlength=exam.rows) * rows
    failures, days = exam.events * rows, float(exam.days[rows].sum())
    return ForeseenResult(
        name=name,
        foreseen=int(hits.sum()),
        recall=int(hits.sum()) / int(failures.sum()) if failures.any() else None,
        recall_interval=interval(draws.ratio(hits.astype(np.float64), failures.astype(np.float64))),
        false_per_day=int(at.false[rows].sum()) / days if days else 0.0,
    )
