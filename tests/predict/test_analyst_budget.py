"""The analyst's thresholds: an organisation's budget of false alarms, kept on its own APIs."""

from msgspec.structs import replace
from tests.predict.making import T0, Shape, tick, toy_model, window

from foregate.predict import Analyst, Models, Thresholds
from foregate.wire.entity import Entity

CALM = Shape()


def alarmed(of: Analyst, apis: int = 12, hours: int = 3) -> list[float]:
    """Scores from a latency that doubles now and then and never fails; the thresholds as they were told."""
    entities = [Entity("demo", f"s{i}", "/x", "test") for i in range(apis)]
    calm, slow = (window(T0, 60, Shape(p50_ms=lambda m, p50=p50: p50)) for p50 in (50.0, 400.0))
    told = []
    for m in range(hours * 60):
        at_s = T0 + 60 * m
        seen = [replace(slow if (m + 37 * i) % 180 == 90 else calm, start_s=at_s) for i in range(apis)]
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
