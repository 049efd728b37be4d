"""Thresholds that follow the false alarms of the very system that is judged."""

import numpy as np
import pytest
from tests.predict.evaluate.making import bad_runs, noisy, scores_at
from tests.predict.evaluate.making import system as calm

from foregate.predict.evaluate.contenders import Contender
from foregate.predict.evaluate.exam import Exam, Floats, exam_of
from foregate.predict.evaluate.judge import Part, evaluate
from foregate.predict.evaluate.own_budget import budget_curve, own_thresholds
from foregate.predict.evaluate.paging import paging, sweep
from foregate.predict.evaluate.system import COLUMN, System

BUDGETS = (0.5, 2.0)


def growth(of: System) -> Floats:
    """A probability that knows p95 alone."""
    p95 = of.minutes[:, COLUMN["p95_ms"], :].astype(np.float64)
    return np.clip(p95 / 1_000, 0.0, 0.999)


def louder(of: System, times: float) -> Floats:
    return np.clip(growth(of) * times, 0.0, 0.999)


def exam(*systems: System) -> tuple[Exam, Floats]:
    made = exam_of(systems, 900)
    return made, made.answers([growth(system) for system in systems])


def test_what_comes_later_changes_no_threshold_of_before() -> None:
    whole = noisy("a", 3)
    cut = System(whole.name, whole.start_s, whole.entities, whole.minutes.copy(), whole.calls, whole.faults)
    cut.minutes[:, COLUMN["errors"], 900:] = 0.0
    cut.minutes[:, COLUMN["p95_ms"], 900:] = 100.0
    curve = [budget_curve(sweep(*exam(noisy("b", 4))))]
    tables = []
    for system in (whole, cut):
        made, scores = exam(system)
        told = own_thresholds(made, scores, [system], curve, BUDGETS)
        table = np.full((len(BUDGETS), *made.chosen[0].shape), np.nan)
        table[:, made.chosen[0]] = told
        tables.append(table[:, :, :900])
    assert _same_where_both(*tables)
    assert len(np.unique(tables[0][~np.isnan(tables[0])])) > 2, "they do move"


def _same_where_both(one: Floats, other: Floats) -> bool:
    """A moment whose failure was cut off is judged in one of them alone."""
    both = ~np.isnan(one) & ~np.isnan(other)
    return bool(both.sum() > 1_000 and (one[both] == other[both]).all())


def test_a_failure_is_known_when_three_bad_minutes_in_a_row_are_over_and_not_before() -> None:
    """Two stray bad minutes, and then it fails, or not: until that is certain both look the same."""
    stray = [(0, 100), (0, 109)]
    tables = []
    for bad in (stray, [*stray, *bad_runs((112, 115))]):
        of = calm(minutes=300, bad=bad, entities=2)
        made = exam_of([of], 900)
        scores = made.answers([scores_at(of, (0, 90), (1, 20), (1, 40))])
        told = own_thresholds(made, scores, [of], [((0.4, 0.9), (0.5, 0.6), (9.0, 0.3))], (0.5,))[0]
        table = np.full(made.chosen[0].shape, np.nan)
        table[made.chosen[0]] = told
        tables.append(table[1])
    assert np.array_equal(tables[0][:115], tables[1][:115])
    assert not np.array_equal(tables[0], tables[1])


def test_a_system_with_more_false_starts_than_those_before_it_keeps_the_budget_all_the_same() -> None:
    others = [noisy(f"b{i}", 10 + i) for i in range(3)]
    curve = budget_curve(sweep(*exam(*others)))
    loud = noisy("loud", 5, minutes=6_000, share=1.0)
    made = exam_of([loud], 900)
    scores = made.answers([growth(loud)])
    fixed = min(score for rate, score in curve if rate <= 0.5)
    own = own_thresholds(made, scores, [loud], [curve], (0.5,))[0]
    days = made.days.sum()
    assert paging(made, scores, fixed).false.sum() / days > 0.5 * 1.25
    assert paging(made, scores, own).false.sum() / days <= 0.5 * 1.25


def test_a_quieter_one_foresees_more_within_the_budget() -> None:
    curve = budget_curve(sweep(*exam(*[noisy(f"b{i}", 10 + i) for i in range(3)])))
    quiet = noisy("quiet", 5, minutes=6_000)
    made = exam_of([quiet], 900)
    scores = made.answers([louder(quiet, 0.6)])
    fixed = min(score for rate, score in curve if rate <= 1.0)
    own = own_thresholds(made, scores, [quiet], [curve], (1.0,))[0]
    assert paging(made, scores, own).hit.mean() > paging(made, scores, fixed).hit.mean()
    assert paging(made, scores, own).false.sum() / made.days.sum() <= 1.0 * 1.25


def test_without_a_curve_nothing_pages() -> None:
    system = noisy("a", 3)
    made, scores = exam(system)
    assert np.isinf(own_thresholds(made, scores, [system], [()], BUDGETS)).all()
    assert own_thresholds(exam_of([], 900), np.zeros(0), [], [], BUDGETS).shape == (2, 0)


@pytest.mark.parametrize("with_validation", [True, False])
def test_the_protocol_judges_such_a_contender_beside_the_fixed_one(with_validation: bool) -> None:
    systems = [noisy(f"s{i}", 20 + i) for i in range(3)]
    contenders = [
        Contender("fixed", growth, baseline=False, probability=True, horizon_s=900),
        Contender("own", growth, baseline=False, probability=True, horizon_s=900, own_budget=True),
    ]
    validation = Part("validation", [noisy("v", 30), noisy("w", 31)]) if with_validation else None
    report = evaluate(contenders, [Part("some", systems)], validation=validation, horizons_s=(900,))
    fixed, own = report.horizons[0].parts[0].scorers
    assert fixed.pr_auc == own.pr_auc
    assert [at.false_per_day for at in fixed.budgets] != [at.false_per_day for at in own.budgets]
