"""One spell is one anomaly, also when an entity grows up in it or the analyzer is begun anew."""

import random

from tests.predict.making import T0, Shape, minutes, tick

from foregate.predict import Analyst, Models, Thresholds
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity


def slower(from_minute: float, until_minute: float = 1e9) -> Shape:
    return Shape(p50_ms=lambda m: 120.0 if from_minute <= m < until_minute else 50.0)


def anomalies(shape: Shape, count: int, *, restart_at: int | None = None) -> list[Anomaly]:
    """The newest of every anomaly of a run of so many minutes, by when it began."""
    rng, of = random.Random(1), Analyst(Models(None), Thresholds(0.99))
    past, known = [], dict[str, Anomaly]()
    for i in range(6, 6 * count + 1, 3):
        if i % 6 == 3:
            closed = minutes(1, shape, rng, start_s=T0 + 60 * (i // 6 - 1))
            past += closed
            of.learn(closed)
        known.update({anomaly.id: anomaly for anomaly in of.judge([tick(T0 + 10 * i, shape, rng)]).anomalies})
        if i == (restart_at or 0) * 6 + 3:
            of = Analyst(Models(None), Thresholds(0.99))
            of.restore([], [anomaly for anomaly in known.values() if anomaly.ended_s is None])
            of.learn(past)
    return sorted(known.values(), key=lambda anomaly: anomaly.started_s)


def minute_of(time_s: float | None) -> float | None:
    return None if time_s is None else (time_s - T0) / 60


def test_who_grows_up_in_a_spell_has_one_anomaly() -> None:
    [one] = anomalies(slower(24), 52)
    assert 24 <= (minute_of(one.started_s) or 0) <= 25
    assert (minute_of(one.ended_s) or 99) <= 50


def test_a_restart_in_a_spell_of_a_young_one_begins_no_second_anomaly() -> None:
    assert len(anomalies(slower(24), 40, restart_at=26)) == 1


def test_a_spell_that_a_young_one_has_over_is_not_told_again_when_it_is_grown_up() -> None:
    [one] = anomalies(slower(14, 20), 40)
    assert (minute_of(one.ended_s) or 99) < 25


def test_one_with_a_past_has_one_anomaly_too_and_a_restart_changes_nothing_of_it() -> None:
    assert anomalies(slower(45), 52) == anomalies(slower(45), 52, restart_at=48) != []


def test_a_late_minute_of_one_makes_nobody_else_forget_and_is_judged_itself() -> None:
    """Two companies on one analyzer; the telemetry of the second comes when others have closed the minute."""
    rng, of = random.Random(1), Analyst(Models(None), Thresholds(0.99))
    theirs, told = Entity("other", "bill", "/bill", "test"), []
    of.judge([], T0)
    for i in range(60):
        at_s = T0 + 60 * i
        of.learn(minutes(1, slower(55), rng, start_s=at_s))
        of.learn(minutes(1, slower(50), rng, entity=theirs, start_s=at_s - (60 if i > 30 else 0)))
        told += of.judge([], at_s + 65).anomalies
    began = {(a.entity.org, a.metric): minute_of(a.started_s) for a in told}
    assert began.keys() == {("demo", "p95_ms"), ("other", "p95_ms")}
    assert began["demo", "p95_ms"] == 56
    assert 50 <= (began["other", "p95_ms"] or 0) <= 53
