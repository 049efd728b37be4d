"""A headless run: repeatable, honest about calm, and shaped like the gateway's events."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from itertools import chain
from random import Random

import pytest
from tests.lab.looking import by_minute, first_bad

from foregate.lab import Fault, Scenario, random_scenario, run_headless
from foregate.lab.traffic.visits import ROUTES
from foregate.wire.event import RequestEvent, encode_event

DIGEST = """
import hashlib
from foregate.lab import Fault, Scenario, run_headless
from foregate.wire.event import encode_event
scenario = Scenario(seed=5, duration_s=200.0, variation=0.5, faults=(Fault("crash", "ai", 60.0, 20.0, 1.0),
    Fault("retry_storm", "users", 30.0, 150.0, 1.0), Fault("memory_leak", "payments", 5.0, 190.0, 1.0)))
digest = hashlib.sha256()
for chunk in run_headless(scenario):
    for event in chunk:
        digest.update(encode_event(event))
print(digest.hexdigest())
"""


def events_of(scenario: Scenario, chunk_s: float = 10.0) -> list[RequestEvent]:
    return list(chain.from_iterable(run_headless(scenario, chunk_s=chunk_s)))


def test_the_same_seed_gives_the_same_events_in_any_process():
    digests = set()
    for hash_seed in ("0", "1", "4242"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(run.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_another_seed_gives_other_events_and_the_size_of_chunks_changes_nothing():
    scenario = Scenario(seed=1, duration_s=120.0)

    def digest(events: list[RequestEvent]) -> str:
        return hashlib.sha256(b"".join(map(encode_event, events))).hexdigest()

    assert digest(events_of(scenario)) == digest(events_of(scenario, chunk_s=1.7))
    assert digest(events_of(scenario)) != digest(events_of(Scenario(seed=2, duration_s=120.0)))


@pytest.mark.parametrize("seed", range(20))
def test_a_good_day_has_no_bad_minute(seed: int):
    scenario = Scenario(seed=seed, duration_s=420.0, rate=25.0, variation=(seed % 4) * 0.3)
    table = by_minute(scenario)
    assert set(table) == {route.path for route in ROUTES}
    assert {route: first_bad(minutes) for route, minutes in table.items()} == dict.fromkeys(table)


def test_events_come_in_the_order_in_which_requests_end_and_are_well_formed():
    scenario = Scenario(seed=9, duration_s=240.0)
    events = events_of(scenario)
    times = [event.time_s for event in events]
    assert times == sorted(times)
    assert scenario.epoch_s <= times[0] <= times[-1] <= scenario.epoch_s + 240.0
    assert len({event.request_id for event in events}) == len(events)
    for event in events:
        assert 0.0 <= event.upstream_ms <= event.latency_ms + 1e-6
        assert event.first_byte_ms <= event.latency_ms + 1e-6
        assert event.inflight >= 1
        assert (event.org, event.environment) == ("demo", "demo")
        assert (event.error == "rate_limited") == (event.status == 429)


def test_the_partner_runs_into_its_rate_limit_and_nobody_else_does():
    events = events_of(Scenario(seed=9, duration_s=300.0))
    limited = [event for event in events if event.limit == "refused"]
    assert limited
    assert {(event.route, event.key_id, event.attempts) for event in limited} == {("/partner", "partner", 0)}


def test_streams_give_their_first_byte_long_before_they_end():
    streams = [event for event in events_of(Scenario(seed=9, duration_s=300.0)) if event.route == "/ai/chat"]
    good = [event for event in streams if event.status == 200]
    assert len(good) > 50
    assert sum(event.first_byte_ms < 0.5 * event.latency_ms for event in good) > 0.8 * len(good)


def test_traffic_keeps_the_rate_it_was_given():
    events = events_of(Scenario(seed=4, duration_s=900.0, rate=30.0, day_s=900.0))
    assert 0.85 < len(events) / (900.0 * 30.0) < 1.15


def test_the_demo_fails_in_its_seventh_or_eighth_minute_after_climbing_for_two():
    scenario = Scenario.demo()
    first = scenario.faults[0]
    assert 75.0 <= first.start_s <= 90.0
    short = Scenario(seed=scenario.seed, duration_s=840.0, rate=scenario.rate, faults=(first,), day_s=scenario.day_s)
    minutes = by_minute(short)["/payments"]
    assert first_bad(minutes) in (6, 7)
    usual = minutes[0].p95_ms
    assert minutes[4].p95_ms > 1.3 * usual
    assert minutes[5].p95_ms > 1.6 * usual
    assert not minutes[12].bad


def test_random_scenarios_cover_every_kind_and_heal_about_a_fifth():
    scenarios = [random_scenario(Random(seed), 3_600.0) for seed in range(400)]
    faults = [fault for scenario in scenarios for fault in scenario.faults]
    kinds = Counter(fault.kind for fault in faults)
    assert len(kinds) == 13
    assert min(kinds.values()) > 10
    gradual = [fault for fault in faults if fault.kind in ("memory_leak", "brownout", "load_ramp", "pool_exhaustion")]
    assert 0.12 < sum(fault.heals for fault in gradual) / len(gradual) < 0.3
    assert 0.08 < sum(not scenario.faults for scenario in scenarios) / len(scenarios) < 0.35
    assert min(fault.reach_s for fault in gradual) < 200.0 < 1_300.0 < max(fault.reach_s for fault in gradual)
    assert random_scenario(Random(1), 3_600.0) == random_scenario(Random(1), 3_600.0)


@pytest.mark.parametrize("wrong", [
    {"kind": "memory_leek"}, {"service": "billing"}, {"severity": 1.1}, {"severity": float("nan")},
    {"start_s": float("nan")}, {"duration_s": 0.0}, {"kind": "quota_exhaustion", "service": "search"},
])  # fmt: skip
def test_an_impossible_fault_is_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=r"there are|can befall|severity|start_s"):
        Fault(**({"kind": "memory_leak", "service": "users", "start_s": 0.0, "duration_s": 1.0} | wrong))  # type: ignore[arg-type]


def test_a_mistake_in_the_model_is_raised_and_not_swallowed():
    class Broken:
        def send(self, visit: object, done: object) -> None:
            raise LookupError("broken front")

    with pytest.raises(LookupError, match="broken front"):
        list(run_headless(Scenario(1, 10.0), front=lambda world, emit: Broken()))
