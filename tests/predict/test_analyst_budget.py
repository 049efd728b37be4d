"""The analyst's thresholds: an organisation's budget of false alarms, kept on its own APIs."""

from msgspec.structs import replace
from tests.predict.making import T0, Shape, tick, toy_model, window

from foregate.predict import Analyst, Models, Thresholds
from foregate.wire.entity import Entity

CALM = Shape()


def alarmed(of: Analyst, apis: int = 12, hours: int = 3, fails_after_min: int | None = None) -> list[float]:
    """Scores from a latency that is eightfold for a minute in three hours; the thresholds as they were told.

    Nothing ever fails, or so many minutes after each of these, three minutes long.
    """
    entities = [Entity("demo", f"s{i}", "/x", "test") for i in range(apis)]
    calm, slow = (window(T0, 60, Shape(p50_ms=lambda m, p50=p50: p50)) for p50 in (50.0, 400.0))
    bad = window(T0, 60, Shape(error_share=lambda m: 0.3))
    told = []
    for m in range(hours * 60):
        at_s = T0 + 60 * m
        since = [(m + 37 * i - 90) % 180 for i in range(apis)]  # minutes since it was slow
        failing = range(0) if fails_after_min is None else range(fails_after_min, fails_after_min + 3)
        kinds = [slow if ago == 0 else bad if ago in failing else calm for ago in since]
        seen = [replace(kind, start_s=at_s) for kind in kinds]
        of.learn(zip(entities, seen, strict=True))
        ticks = [replace(tick(at_s + 60, CALM), entity=e, w1=w) for e, w in zip(entities, seen, strict=True)]
        told += [risk.horizons[1].threshold for risk in of.judge(ticks).risks if risk.state == "scored"]
    return told


def test_an_organisation_that_is_paged_for_nothing_gets_a_stricter_threshold_and_a_fixed_one_stays() -> None:
    moving, fixed = Analyst(Models(toy_model()), Thresholds()), Analyst(Models(toy_model()), Thresholds(0.7))
    told = alarmed(moving)
    assert told[0] == 0.8
    assert told[-1] == 0.9, "the strictest that the model was measured at"
    assert set(alarmed(fixed)) == {0.7}
    assert fixed.false_alarms == {}


def test_what_was_counted_is_taken_up_after_a_restart() -> None:
    before = Analyst(Models(toy_model()), Thresholds())
    strict = alarmed(before)[-1]
    after = Analyst(Models(toy_model()), Thresholds())
    after.restore([], [], before.false_alarms)
    assert alarmed(after, hours=1)[0] == strict


def test_pages_that_a_failure_follows_cost_nothing_of_the_budget() -> None:
    of = Analyst(Models(toy_model()), Thresholds())
    told = alarmed(of, fails_after_min=5)
    assert told[-1] < told[0]
    [counts] = of.false_alarms["demo"]
    assert max(counts.false) == 0.0


def test_the_score_of_an_api_that_failed_a_moment_ago_is_not_counted_because_nobody_is_paged_for_it() -> None:
    of = Analyst(Models(toy_model()), Thresholds())
    alarmed(of, fails_after_min=175)  # slow two minutes after the last bad one
    [counts] = of.false_alarms["demo"]
    assert counts.days > 0.5
    assert max(counts.false) == 0.0
