"""The honest protocol, from contenders and recorded systems to a report.

Thresholds are chosen on the validation systems, or each system's on the others; what is judged has no say in them.
Intervals draw whole entities. Every contender is first cut off at a few minutes to see whether it looks ahead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from foregate.predict.evaluate.contenders import HALF, Contender
from foregate.predict.evaluate.exam import WHOLE, Exam, Floats, exam_of
from foregate.predict.evaluate.intervals import RESAMPLES, Resamples
from foregate.predict.evaluate.leakage import refuse_look_ahead
from foregate.predict.evaluate.marks import Marks, mark, part_result
from foregate.predict.evaluate.own_budget import budget_curve, own_thresholds
from foregate.predict.evaluate.paging import BUDGETS, sweep, threshold_for
from foregate.predict.evaluate.results import HorizonResult, Report
from foregate.predict.evaluate.system import System
from foregate.predict.evaluate.truth import bad_minutes, spells_in

HORIZONS_S: Final = (300, 900, 3_600)
_FROM_VALIDATION: Final = "thresholds were chosen on {0} other system{1}"
_FROM_OTHERS: Final = "each system's thresholds were chosen on the other {0} of its part"
_FROM_HALF: Final = "thresholds were chosen on the first half of the time, results are of the second"


@dataclass(frozen=True, slots=True)
class Part:
    """Systems that are judged together."""

    name: str
    systems: Sequence[System]


@dataclass(frozen=True, slots=True)
class _Sitting:
    """An exam with where its thresholds come from (None: from its own other systems), and the draws of its APIs."""

    part: Part
    exam: Exam
    chosen_on: Exam | None
    chosen_part: Part
    draws: Resamples


def evaluate(
    contenders: Sequence[Contender],
    parts: Sequence[Part],
    *,
    validation: Part | None = None,
    horizons_s: Sequence[int] = HORIZONS_S,
    seed: int = 0,
    title: str = "",
    step: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Judge all contenders on all parts. `step(done, total)` is called as it goes on.

    Without `validation` each system's thresholds come from the others of its part, those of a single system from the
    first half of its time. Raises LooksAhead; ValueError when there is nothing to judge.
    """
    if not any(part.systems for part in parts):
        raise ValueError("there is no system to judge")
    sittings = {horizon_s: [_sitting(part, validation, horizon_s, seed) for part in parts] for horizon_s in horizons_s}
    asked = {id(part): _without_faults(part.systems) for part in (*parts, *filter(None, [validation]))}
    tried = _telling([asked[id(part)] for part in parts])
    marks: dict[tuple[int, int], list[Marks]] = {}
    for done, contender in enumerate(contenders):
        step(done, len(contenders))
        refuse_look_ahead(contender.name, contender.scorer, tried, np.random.default_rng(seed))
        scored = _Scored(contender, asked)
        for horizon_s in horizons_s:
            if contender.horizon_s in (None, horizon_s):
                for i, sitting in enumerate(sittings[horizon_s]):
                    marks.setdefault((horizon_s, i), []).append(_marks(contender, sitting, scored))
    step(len(contenders), len(contenders))
    return Report(
        title=title,
        seed=seed,
        thresholds=_where_from(parts, validation),
        resamples=RESAMPLES,
        horizons=tuple(
            HorizonResult(
                horizon_s,
                tuple(
                    part_result(s.part.name, s.part.systems, s.exam, marks.get((horizon_s, i), []), s.draws)
                    for i, s in enumerate(of)
                ),
            )
            for horizon_s, of in sittings.items()
        ),
    )


def _sitting(part: Part, validation: Part | None, horizon_s: int, seed: int) -> _Sitting:
    alone = validation is None and len(part.systems) == 1
    exam = exam_of(part.systems, horizon_s, (HALF, 1.0) if alone else WHOLE)
    chosen_part = validation or part
    chosen_on = (
        exam_of(chosen_part.systems, horizon_s, (0.0, HALF) if alone else WHOLE) if validation or alone else None
    )
    draws = Resamples.draw(exam.rows, np.random.default_rng(seed))
    return _Sitting(part, exam, chosen_on, chosen_part, draws)


def _without_faults(systems: Sequence[System]) -> list[System]:
    """What scorers are shown. Made once for all of them: a model remembers a system that it is asked for again."""
    return [replace(system, faults=()) for system in systems]


class _Scored:
    """What a contender says of each part, asked once for all horizons. `asked`: the systems that it is shown."""

    def __init__(self, contender: Contender, asked: Mapping[int, Sequence[System]]) -> None:
        self._scorer, self._asked = contender.scorer, asked
        self._said: dict[int, list[Floats]] = {}

    def of(self, part: Part, exam: Exam) -> Floats:
        if id(part) not in self._said:
            self._said[id(part)] = [self._scorer(system) for system in self._asked[id(part)]]
        return exam.answers(self._said[id(part)])


def _marks(contender: Contender, sitting: _Sitting, scored: _Scored) -> Marks:
    exam, scores = sitting.exam, scored.of(sitting.part, sitting.exam)
    here, systems = sweep(exam, scores), len(exam.names)
    tried, without = here, list[int | None](range(systems))
    if sitting.chosen_on is not None:
        elsewhere = scored.of(sitting.chosen_part, sitting.chosen_on)
        tried, without = sweep(sitting.chosen_on, elsewhere), [None] * systems
    if contender.own_budget:
        curves = [budget_curve(tried, i) for i in without]
        thresholds = own_thresholds(exam, scores, sitting.part.systems, curves, BUDGETS)
    else:
        found = [[threshold_for(tried, budget, i) for i in without] for budget in BUDGETS]
        thresholds = np.array(found).reshape(len(BUDGETS), systems)[:, exam.system[exam.row]]
    return mark(contender, exam, scores, dict(zip(BUDGETS, thresholds, strict=True)), here, sitting.draws)


def _telling(parts: Sequence[Sequence[System]]) -> list[System]:
    """The systems on which a look ahead is looked for: those in which something fails first, for else an oracle has
    nothing to tell; of these the smallest, because a scorer is asked again and again.
    """
    systems = [system for part in parts for system in part]
    calm = {id(system): not spells_in(bad_minutes(system)).failed.any() for system in systems}
    return sorted(systems, key=lambda system: (calm[id(system)], system.minutes.size, system.name))


def _where_from(parts: Sequence[Part], validation: Part | None) -> str:
    if validation is not None:
        return _FROM_VALIDATION.format(len(validation.systems), "s" * (len(validation.systems) != 1))
    sizes = [len(part.systems) for part in parts]
    return _FROM_HALF if max(sizes) == 1 else _FROM_OTHERS.format("/".join(str(size - 1) for size in sizes))
