"""Live anomalies: what opens one, what chance explains, and entities that come and go."""

import numpy as np
from numpy.typing import NDArray

from foregate.predict.detectors.watch import AnomalyWatch
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity

T0 = 1_700_000_040.0
PAY = Entity("default", "payments", "/pay", "production")
Floats = NDArray[np.float64]


def entities(count: int) -> list[Entity]:
    return [Entity("default", "payments", f"/r{i}", "production") for i in range(count)]


def chance_of(values: Floats) -> Floats:
    rps = values[:, 2]
    p = np.clip(values[:, 1], 1 / (60 * rps), 0.5)
    return np.column_stack((0.05 * values[:, 0], np.sqrt(p * (1 - p) / (60 * rps)), np.sqrt(rps / 60)))


def usual(rng: np.random.Generator, count: int = 1) -> Floats:
    requests = rng.poisson(1200, count)
    errors = rng.binomial(requests, 0.002)
    return np.column_stack((rng.lognormal(5, 0.06, count), errors / requests, requests / 60))


def fed(watch: AnomalyWatch, minutes: int, rng: np.random.Generator, one: Entity = PAY) -> list[Anomaly]:
    told = []
    for minute in range(minutes):
        values = usual(rng)
        told += watch.observe(T0 + 60 * minute, [one], values, chance_of(values))
    return told


def strike(watch: AnomalyWatch, minute: int, values: list[float], one: Entity = PAY) -> list[Anomaly]:
    row = np.asarray([values])
    return watch.observe(T0 + 60 * minute, [one], row, chance_of(row))


def test_a_tripled_latency_opens_one_anomaly_in_its_second_minute_and_ends_after_three_usual_ones() -> None:
    watch, rng = AnomalyWatch(), np.random.default_rng(1)
    assert fed(watch, 90, rng) == []
    assert strike(watch, 90, [450.0, 0.002, 20.0]) == []
    [opened] = strike(watch, 91, [450.0, 0.002, 20.0])
    assert (opened.metric, opened.started_s, opened.ended_s) == ("p95_ms", T0 + 60 * 90, None)
    assert opened.z > 10
    assert opened.sentence.startswith("p95 latency is 450 ms, 3.")
    ended = [told for minute in range(92, 95) for told in strike(watch, minute, [148.0, 0.002, 20.0])]
    assert [(told.id, told.ended_s) for told in ended] == [(opened.id, T0 + 60 * 94)]


def test_a_young_entity_has_anomalies_too_once_twelve_minutes_are_known() -> None:
    watch, rng = AnomalyWatch(), np.random.default_rng(2)
    fed(watch, 20, rng)
    strike(watch, 20, [450.0, 0.002, 20.0])
    assert [told.metric for told in strike(watch, 21, [450.0, 0.002, 20.0])] == ["p95_ms"]
    fresh = AnomalyWatch()
    fed(fresh, 8, rng)
    assert strike(fresh, 8, [450.0, 0.002, 20.0]) + strike(fresh, 9, [450.0, 0.002, 20.0]) == []


def test_what_chance_explains_is_no_anomaly() -> None:
    watch = AnomalyWatch()
    calm, one_error = [150.0, 0.0, 0.5], [150.0, 1 / 30, 0.5]
    told = [strike(watch, minute, one_error if minute in (50, 51, 60, 61) else calm) for minute in range(70)]
    assert not any(told)


def test_ordinary_minutes_of_many_entities_hardly_ever_open_one() -> None:
    watch, rng = AnomalyWatch(), np.random.default_rng(3)
    many = entities(100)
    opened = 0
    for minute in range(150):
        values = usual(rng, 100)
        told = watch.observe(T0 + 60 * minute, many, values, chance_of(values))
        opened += sum(one.ended_s is None for one in told)
    assert opened <= 0.1 * 300 * 150 / 1440  # a tenth per series and day, as stated


def test_an_entity_beyond_the_bound_takes_the_place_of_the_one_unheard_of_for_longest() -> None:
    watch, rng = AnomalyWatch(entities_max=2), np.random.default_rng(4)
    first, second, third = entities(3)
    fed(watch, 30, rng, first)
    size = watch.nbytes
    for minute in range(30, 60):
        values = usual(rng, 2)
        watch.observe(T0 + 60 * minute, [second, third], values, chance_of(values))
    assert watch.nbytes == size
    assert strike(watch, 60, [900.0, 0.002, 20.0], first) + strike(watch, 61, [900.0, 0.002, 20.0], first) == []
    strike(watch, 62, [900.0, 0.002, 20.0], second)
    assert [told.entity for told in strike(watch, 63, [900.0, 0.002, 20.0], second)] == [second]


def test_more_entities_than_slots_in_one_minute_leave_the_first_ones_watched() -> None:
    watch, rng = AnomalyWatch(entities_max=2), np.random.default_rng(5)
    for minute in range(30):
        values = usual(rng, 3)
        watch.observe(T0 + 60 * minute, entities(3), values, chance_of(values))
    strange = np.full((3, 3), [900.0, 0.002, 20.0])
    told = [watch.observe(T0 + 60 * minute, entities(3), strange, chance_of(strange)) for minute in (30, 31)]
    assert [one.entity for one in told[1]] == entities(2)


def test_an_open_anomaly_is_the_same_after_a_restart_and_the_past_can_be_learned_without_judging() -> None:
    rng, values = np.random.default_rng(6), [450.0, 0.002, 20.0]
    watch, after = AnomalyWatch(), AnomalyWatch()
    for minute in range(60):
        row = usual(rng)
        watch.observe(T0 + 60 * minute, [PAY], row, chance_of(row))
        after.learn(T0 + 60 * minute, [PAY], row)
    strike(watch, 60, values)
    [opened] = strike(watch, 61, values)
    after.restore([opened])
    assert [told.id for told in strike(after, 62, [900.0, 0.002, 20.0])] == [opened.id]
    [ended] = after.expire(T0 + 60 * 62 + 301)
    assert (ended.id, ended.ended_s) == (opened.id, T0 + 60 * 62)


def test_a_clock_that_was_set_back_begins_anew_instead_of_judging_by_the_future() -> None:
    watch, rng = AnomalyWatch(), np.random.default_rng(7)
    fed(watch, 60, rng)
    assert strike(watch, -600, [450.0, 0.002, 20.0]) + strike(watch, -599, [450.0, 0.002, 20.0]) == []
