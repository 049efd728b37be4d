"""The whole protocol: deterministic, thresholds from elsewhere, nothing leaks, and the numbers add up."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from tests.predict.evaluate.making import T0, bad_runs, noisy, scores_at, system

from foregate.predict.evaluate import contenders
from foregate.predict.evaluate.baselines import SIMPLE
from foregate.predict.evaluate.contenders import Contender, folded_contenders, learned_contenders, simple_contenders
from foregate.predict.evaluate.judge import Part, evaluate
from foregate.predict.evaluate.leakage import LooksAhead
from foregate.predict.evaluate.results import AtBudget, Report, ScorerResult
from foregate.predict.evaluate.system import Scorer, System
from foregate.predict.evaluate.table import table
from foregate.predict.evaluate.truth import truth_of
from foregate.wire.minutes import FaultNote

H = 900
SYSTEMS = [noisy(f"s{i}", i, entities=4, minutes=800) for i in range(4)]
FEW = [Contender(name, SIMPLE[name]) for name in ("persistence", "static threshold (p95)")]


def random_score(of: System) -> np.ndarray:
    shape = of.of("requests").shape
    return np.random.default_rng(7).random((shape[1], shape[0])).T  # minute by minute: no minute changes another's


def the(report: Report, name: str, part: int = 0) -> ScorerResult:
    return next(s for s in report.horizons[0].parts[part].scorers if s.name == name)


def at(result: ScorerResult, budget: float) -> AtBudget:
    return next(a for a in result.budgets if a.budget == budget)


def test_same_input_and_seed_give_the_same_report() -> None:
    def made() -> bytes:
        learned = learned_contenders(SYSTEMS[:1], H, 0)
        report = evaluate([*FEW, *learned], [Part("a", SYSTEMS[1:2])], horizons_s=[H], seed=3)
        return msgspec.json.encode(report) + table(report).encode()

    assert made() == made()


def test_a_random_score_has_the_base_rate_and_a_score_that_knows_wins() -> None:
    random = Contender("random", random_score)
    warned = Contender("p95", SIMPLE["static threshold (p95)"], baseline=False)
    report = evaluate([random, *FEW[:1], warned], [Part("a", SYSTEMS)], horizons_s=[H])
    part = report.horizons[0].parts[0]
    assert the(report, "random").pr_auc == pytest.approx(part.base_rate, rel=0.1)
    over = the(report, "p95").over
    assert over is not None
    assert over.interval is not None
    assert over.interval.low > 0
    assert over.interval.low <= over.value <= over.interval.high


def test_thresholds_come_from_validation_alone() -> None:
    """The same part judged with a stricter validation: fewer pages, whatever the part itself would allow."""
    calm = Part("calm", [system("calm", minutes=1000)])
    loud = Part("loud", [noisy("loud", 9, minutes=1000, share=1.0)])
    part = [Part("a", SYSTEMS[:1])]
    easy, strict = (
        at(the(evaluate(FEW[1:], part, validation=v, horizons_s=[H]), FEW[1].name), 2.0) for v in (calm, loud)
    )
    assert easy.threshold != strict.threshold
    report = evaluate(FEW[1:], part, validation=calm, horizons_s=[H])
    assert "chosen on 1 other" in report.thresholds


def test_each_system_is_judged_by_thresholds_of_the_others() -> None:
    report = evaluate(FEW, [Part("a", SYSTEMS)], horizons_s=[H])
    assert "other 3" in report.thresholds
    assert all(a.within for a in the(report, "static threshold (p95)").budgets if a.budget == 2.0)


def test_a_single_system_is_judged_on_its_second_half() -> None:
    of = system("a", minutes=600, bad=bad_runs((100, 104), (400, 404)))
    report = evaluate(FEW, [Part("a", [of])], horizons_s=[H])
    part = report.horizons[0].parts[0]
    assert (part.failures, "first half" in report.thresholds) == (1, True)
    assert part.moments <= 300


def test_folds_score_every_system_by_what_has_not_seen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def fit(systems: Sequence[System], horizon_s: int, rng: np.random.Generator, *, shuffled: bool = False) -> Scorer:
        seen.append({of.name for of in systems})
        known = seen[-1]
        return lambda of: np.full(of.of("requests").shape, float(of.name in known))

    monkeypatch.setattr(contenders, "LEARNED", {"memory": fit})
    (memory,) = folded_contenders(SYSTEMS, H, 0)
    assert len(seen) == 4
    assert not any(memory.scorer(of).any() for of in SYSTEMS)


def test_learned_scores_are_probabilities_and_beat_chance_on_other_systems() -> None:
    report = evaluate(learned_contenders(SYSTEMS[:1], H, 0), [Part("a", SYSTEMS[2:])], horizons_s=[H])
    for result in report.horizons[0].parts[0].scorers:
        assert result.brier is not None
        assert result.brier_base is not None
        assert result.pr_auc > 2 * report.horizons[0].parts[0].base_rate


def oracle(of: System) -> np.ndarray:
    return truth_of(of, H).label.astype(np.float64)


def test_a_contender_that_looks_ahead_stops_the_evaluation() -> None:
    with pytest.raises(LooksAhead, match="oracle looks ahead"):
        evaluate([Contender("oracle", oracle)], [Part("a", SYSTEMS)], horizons_s=[H])


def test_a_look_ahead_is_looked_for_where_something_failed() -> None:
    """In a calm recording an oracle has nothing to tell, however small that recording is."""
    calm = [system(f"calm{i}", minutes=200) for i in range(3)]
    with pytest.raises(LooksAhead, match=f"of {SYSTEMS[0].name} changes"):
        evaluate([Contender("oracle", oracle)], [Part("a", [*calm, SYSTEMS[0]])], horizons_s=[H])


def test_no_score_sees_the_faults_by_which_its_results_are_told_apart() -> None:
    fault = FaultNote("leak", "s0", T0 + 60 * 90, 6000.0)
    of = system("a", minutes=300, bad=bad_runs((200, 204)), faults=(fault,))
    seen: list[int] = []

    def curious(of: System) -> np.ndarray:
        seen.append(len(of.faults))
        return np.zeros(of.of("requests").shape)

    report = evaluate([Contender("curious", curious)], [Part("a", [of, SYSTEMS[0]])], horizons_s=[300, H])
    assert report.horizons[1].parts[0].causes["leak"] == 1
    assert set(seen) == {0}


def test_failures_add_up_over_causes_and_firsts_are_among_all() -> None:
    report = evaluate(simple_contenders()[1:4], [Part("a", SYSTEMS[:2]), Part("b", SYSTEMS[2:])], horizons_s=[300, H])
    for horizon in report.horizons:
        for part in horizon.parts:
            assert sum(part.causes.values()) == part.failures
            for result in part.scorers:
                for a in result.budgets:
                    assert sum(n for n, _ in a.by_cause.values()) == a.failures == part.failures
                    assert sum(hit for _, hit in a.by_cause.values()) == a.foreseen
                    assert a.first_foreseen <= min(a.first_failures, a.foreseen)


def test_what_has_nothing_to_say_is_never_alarmed_and_shown_so() -> None:
    def silent(of: System) -> np.ndarray:
        return np.full(of.of("requests").shape, np.nan)

    report = evaluate([Contender("silent", silent, probability=True)], [Part("a", SYSTEMS)], horizons_s=[H])
    result = the(report, "silent")
    assert (result.said, result.brier, at(result, 2.0).pages) == (0.0, None, 0)
    assert result.pr_auc == pytest.approx(report.horizons[0].parts[0].base_rate)


def test_a_page_in_time_is_a_hit_and_its_lead_is_told() -> None:
    of = [system(name, minutes=1500, bad=bad_runs((200, 204))) for name in ("a", "b")]

    def knowing(asked: System) -> np.ndarray:
        return scores_at(asked, (0, 193)) if asked.minutes.shape[2] > 193 else scores_at(asked)

    report = evaluate([Contender("knowing", knowing, baseline=False)], [Part("a", of)], horizons_s=[H])
    a = at(the(report, "knowing"), 0.5)
    assert (a.recall, a.median_lead_min, a.pages, a.precision, a.false_per_day) == (1.0, 6.0, 2, 1.0, 0.0)
    assert "**knowing** | 1.000" not in table(report)  # one right moment of fifteen is no perfect ranking
    assert "1.00 [1.00, 1.00] (0.00, 1.00)" in table(report)


def test_nothing_to_judge_is_said() -> None:
    with pytest.raises(ValueError, match="no system"):
        evaluate(FEW, [Part("a", [])])
    report = evaluate(FEW, [Part("a", [system(minutes=10), system("b", minutes=10)])], horizons_s=[H])
    assert "Nothing here can be judged" in table(report)
