"""Robust z and the spells made of it: cold start, gaps, flat and silent series, one anomaly per spell."""

import random

import numpy as np
import pytest
from tests.predict.making import PAY, T0, Shape, frame_of, minutes, panel_of, tick

from foregate.predict.detectors.readings import METRICS, Metric, Reading
from foregate.predict.detectors.robust_z import readings, scores
from foregate.predict.detectors.spells import SILENT_S, Spells
from foregate.predict.features import Frame

STEADY = Shape()


def moment(now: Shape, before: Shape = STEADY, count: int = 60, seed: int | None = 3) -> Frame:
    past = minutes(count, before, random.Random(seed) if seed is not None else None)
    return frame_of(tick(T0 + 60 * count, now), panel_of(past))


def z(of: Frame, metric: Metric) -> float:
    return float(scores(of)[0, METRICS.index(metric)])


def reading(z: float) -> Reading:
    return Reading("p95_ms", 100 + z, 100.0, z, f"z {z}")


def test_a_tripled_latency_is_far_out_and_the_sentence_says_from_what_to_what() -> None:
    seen = moment(Shape(p50_ms=lambda m: 150.0), seed=None)
    found = readings(seen, [0], scores(seen))[0][0]
    assert found.z > 10
    assert found.expected == pytest.approx(150.0)
    assert found.sentence == "p95 latency is 450 ms, 3.0× its usual 150 ms"


def test_ordinary_noise_is_no_anomaly() -> None:
    for seed in range(20):
        assert (np.abs(scores(moment(STEADY, seed=seed))) < 4).all()


def test_a_flat_series_has_z_zero_and_not_a_division_by_zero() -> None:
    assert scores(moment(STEADY, seed=None)).tolist() == [[0, 0, 0]]


def test_one_error_among_few_requests_is_chance() -> None:
    few = Shape(requests=lambda m: 30.0, error_share=lambda m: 1 / 30)
    seen = moment(few, Shape(requests=lambda m: 30.0), seed=None)
    assert seen.count("errors", 1)[0] == 1
    assert z(seen, "error_rate") < 4
    assert z(moment(Shape(error_share=lambda m: 0.04), seed=None), "error_rate") > 4


def test_traffic_that_stops_halfway_is_an_anomaly_downwards() -> None:
    assert z(moment(Shape(requests=lambda m: 60.0)), "rps") < -4


def test_a_spell_opens_at_the_second_unusual_tick_and_starts_at_the_first() -> None:
    spells = Spells()
    assert spells.observe(T0, PAY, [reading(6)]) == []
    [opened] = spells.observe(T0 + 10, PAY, [reading(5)])
    assert (opened.started_s, opened.ended_s, opened.z) == (T0, None, 6)


def test_a_single_unusual_tick_is_forgotten() -> None:
    spells = Spells()
    for i in range(20):
        assert spells.observe(T0 + 10 * i, PAY, [reading(6 if i % 2 else 3)]) == []


def test_it_is_told_again_only_when_it_gets_worse_and_ends_after_three_usual_ticks() -> None:
    spells = Spells()
    told = [spells.observe(T0 + 10 * i, PAY, [reading(z)]) for i, z in enumerate([5, 5, 4.5, 8, 2, 2, 2])]
    assert [len(changed) for changed in told] == [0, 1, 0, 1, 0, 0, 1]
    assert told[3][0].z == 8
    ended = told[6][0]
    assert (ended.ended_s, ended.z, ended.id) == (T0 + 60, 8, told[1][0].id)
    assert spells.expire(T0 + 10_000) == []


def test_an_entity_that_falls_silent_ends_its_anomaly() -> None:
    spells = Spells()
    for i in range(2):
        spells.observe(T0 + 10 * i, PAY, [reading(9)])
    assert spells.expire(T0 + SILENT_S) == []
    [ended] = spells.expire(T0 + SILENT_S + 20)
    assert ended.ended_s == T0 + 10


def test_an_anomaly_of_before_the_clock_was_set_back_ends() -> None:
    spells = Spells()
    for i in range(2):
        spells.observe(T0 + 10 * i, PAY, [reading(9)])
    [ended] = spells.expire(T0 - 86_400)
    assert ended.ended_s == T0 + 10


def test_an_open_anomaly_is_the_same_one_after_a_restart() -> None:
    before, after = Spells(), Spells()
    before.observe(T0, PAY, [reading(6)])
    [opened] = before.observe(T0 + 10, PAY, [reading(6)])
    after.restore([opened])
    [worse] = after.observe(T0 + 20, PAY, [reading(12)])
    assert worse.id == opened.id


def test_an_anomaly_that_has_not_changed_for_an_hour_goes_on_after_a_restart() -> None:
    before, after = Spells(), Spells()
    before.observe(T0, PAY, [reading(9)])
    [opened] = before.observe(T0 + 10, PAY, [reading(9)])
    after.restore([opened])
    assert after.expire(T0 + 3_600) == []
    [worse] = after.observe(T0 + 3_610, PAY, [reading(12)])
    assert (worse.id, worse.ended_s) == (opened.id, None)


def test_one_that_nobody_asks_after_a_restart_ends_as_of_when_it_was_heard_of() -> None:
    after = Spells()
    before = Spells()
    before.observe(T0, PAY, [reading(9)])
    after.restore(before.observe(T0 + 10, PAY, [reading(9)]))
    assert after.expire(T0 + 3_600) == []
    [ended] = after.expire(T0 + 3_600 + SILENT_S + 10)
    assert ended.ended_s == T0 + 10
