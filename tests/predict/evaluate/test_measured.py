"""Results told apart by what the systems measure: who belongs where, that the parts add up, and what people read."""

import msgspec
import numpy as np
import pytest
from tests.predict.evaluate.making import bad_runs, scores_at, system

from foregate.predict.evaluate.contenders import Contender
from foregate.predict.evaluate.exam import exam_of
from foregate.predict.evaluate.intervals import Interval, Resamples
from foregate.predict.evaluate.judge import Part, evaluate
from foregate.predict.evaluate.measured import COLUMN_OF, RUNTIME, measured_in, measured_results
from foregate.predict.evaluate.paging import paging
from foregate.predict.evaluate.results import MeasuredResult, PartResult, Report
from foregate.predict.evaluate.system import COLUMN, System
from foregate.predict.evaluate.table import table

H = 900
FAILS = [*bad_runs((200, 204)), *bad_runs((200, 204), entity=1)]


def company(name: str, *measures: str, fails: bool = True) -> System:
    """Two APIs, both of which fail or neither; a single minute of the second tells each signal."""
    made = system(name, entities=2, minutes=1500, bad=FAILS if fails else [])
    for signal in measures:
        made.minutes[1, COLUMN[COLUMN_OF[signal]], 700] = 0.4
    return made


SYSTEMS = [company("full", *RUNTIME), company("one", "memory", "quota"), company("bare"), company("calm", fails=False)]


def alarmed(of: System) -> np.ndarray:
    """One failure of two in "full", none in "one", both in "bare"; a false alarm in "calm"."""
    if of.minutes.shape[2] <= 193:
        return scores_at(of)
    at = {"full": [(0, 193)], "one": [], "bare": [(0, 193), (1, 193)], "calm": [(1, 100)]}
    return scores_at(of, *at[of.name])


def groups(systems: list[System]) -> dict[tuple[tuple[str, ...], str], MeasuredResult]:
    exam = exam_of(systems, H)
    pages = paging(exam, exam.answers([alarmed(of) for of in systems]), 0.5)
    draws = Resamples.draw(exam.rows, np.random.default_rng(0))
    return {(of.signals, of.measured): of for of in measured_results(systems, exam, {"mine": pages}, draws)}


def judged() -> Report:
    contenders = [Contender("mine", alarmed, baseline=False), Contender("persistence", alarmed)]
    return evaluate([*contenders, Contender("XGBoost, naive", alarmed)], [Part("a", SYSTEMS)], horizons_s=[H])


def part_of(report: Report) -> PartResult:
    return report.horizons[0].parts[0]


def test_one_known_minute_of_one_api_is_enough_to_measure_something() -> None:
    assert [measured_in(of) for of in SYSTEMS[:3]] == [frozenset(RUNTIME), {"memory", "quota"}, frozenset()]


def test_failures_and_false_alarms_are_counted_where_they_belong() -> None:
    found = groups(SYSTEMS)
    known, unknown = found[("memory",), "all"], found[("memory",), "none"]
    assert [(of.systems, of.failures, of.scorers[0].foreseen) for of in (known, unknown)] == [(2, 4, 1), (2, 2, 2)]
    assert (known.scorers[0].recall, unknown.scorers[0].recall) == (0.25, 1.0)
    assert known.scorers[0].false_per_day == 0.0
    assert unknown.scorers[0].false_per_day == pytest.approx(1 / unknown.api_days)
    assert known.scorers[0].recall_interval != Interval(0.25, 0.25)
    assert unknown.scorers[0].recall_interval == Interval(1.0, 1.0)


def test_the_runtime_is_measured_not_at_all_in_part_or_wholly() -> None:
    found = groups(SYSTEMS)
    assert [found[RUNTIME, which].systems for which in ("none", "any", "all")] == [2, 2, 1]
    assert [found[RUNTIME, which].scorers[0].foreseen for which in ("none", "any", "all")] == [2, 1, 1]


def test_a_group_without_systems_or_failures_has_no_recall() -> None:
    found = groups(SYSTEMS[3:])
    assert {(of.failures, of.scorers[0].recall, of.scorers[0].recall_interval) for of in found.values()} == {
        (0, None, None)
    }
    assert found[("waits",), "all"].scorers[0].false_per_day == 0.0


def test_who_measures_and_who_does_not_add_up_to_the_part_by_the_same_thresholds() -> None:
    part = part_of(judged())
    [at] = [at for at in part.scorers[0].budgets if at.budget == 0.5]
    assert at.foreseen == 3
    for signal in COLUMN_OF:
        both = [of for of in part.by_measured if of.signals == (signal,)]
        assert sum(of.systems for of in both) == part.systems
        assert sum(of.failures for of in both) == part.failures
        assert sum(of.api_days for of in both) == pytest.approx(part.api_days)
        assert sum(of.scorers[0].foreseen for of in both) == at.foreseen
        assert sum(of.scorers[0].false_per_day * of.api_days for of in both) / part.api_days == pytest.approx(
            at.false_per_day
        )


def test_people_read_what_is_evaluated_and_the_learned_baselines_by_what_is_measured() -> None:
    report = judged()
    shown = table(report)
    assert "| foreseen at 0.5, by what is measured | systems | failures | mine | XGBoost, naive |" in shown
    [full] = [line for line in shown.splitlines() if line.startswith("| all of memory, connections, workers |")]
    assert "| 1 | 2 | 0.50 [" in full
    [bare] = [line for line in shown.splitlines() if line.startswith("| no memory |")]
    assert "| 2 | 2 | 1.00 [1.00, 1.00] (" in bare
    assert "No system here measures certificates, waits." in shown
    assert "Every system" not in shown
    assert "| waits |" not in shown
    assert "| no waits |" not in shown


def test_a_part_whose_systems_all_measure_the_same_gets_a_sentence_instead_of_rows() -> None:
    alike = [company(name, "quota") for name in ("full", "bare")]
    shown = table(evaluate([Contender("mine", alarmed, baseline=False)], [Part("a", alike)], horizons_s=[H]))
    assert "by what is measured" not in shown
    assert "Every system here measures quota. No system here measures memory, connections, workers, " in shown


def test_a_report_of_before_is_read_and_shown_as_it_was() -> None:
    told = msgspec.json.decode(msgspec.json.encode(judged()))
    for part in told["horizons"][0]["parts"]:
        del part["by_measured"]
    old = msgspec.convert(told, Report)
    assert part_of(old).by_measured == ()
    shown = table(judged())
    start = shown.index("| foreseen at 0.5, by what is measured")
    assert table(old).rstrip() == shown[:start].rstrip()
