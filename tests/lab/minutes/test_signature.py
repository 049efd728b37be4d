"""The same fault in the same world leaves the same signature, by the headless lab and by the generator."""

from collections.abc import Iterator
from functools import cache

import pytest
from bench.lab_minutes import Run, Signature, fault_of, generated, headless, scenario_of, signature, signatures

from foregate.lab import Fault

RATE = 18.0
SEVERITY = 0.95  # a reach of about three minutes
WORLDS: tuple[dict[str, str], ...] = (
    {"memory_leak": "payments", "pool_exhaustion": "users", "brownout": "search", "quota_exhaustion": "ai"},
    {"load_ramp": "search", "retry_storm": "users", "crash": "payments", "certificate": "ai"},
    {"bad_deploy": "ai", "flash_crowd": "payments", "slow_dependency": "search"},
)
HEALING = {"brownout": "users"}
# How far apart onsets (minutes), growth of p95 (times) and shares of failures may be.
APART = (1, 2.5, 0.35)
APART_BY_CHANCE = (2, 5.0, 0.5)  # a pool's eight connections are lost one by one, by chance
GROWS = ("memory_leak", "pool_exhaustion", "brownout", "quota_exhaustion", "load_ramp", "retry_storm")
SUDDEN = ("crash", "certificate", "bad_deploy")


@cache
def both(world: int) -> tuple[list[Fault], Run, Run]:
    """The faults of a world side by side, and the minutes by the headless lab and by the generator."""
    faults = [fault_of(kind, service, SEVERITY) for kind, service in WORLDS[world].items()]
    if world == len(WORLDS) - 1:
        faults += [fault_of(kind, service, SEVERITY, heals=True) for kind, service in HEALING.items()]
    scenario = scenario_of(faults, seed=21 + world, rate=RATE)
    return faults, headless(scenario), generated(scenario)


def seen(kind: str) -> tuple[Signature, Signature]:
    world = next(number for number, befalls in enumerate(WORLDS) if kind in befalls)
    faults, live, made = both(world)
    return signatures(live, made, next(one for one in faults if one.kind == kind))


def each(kinds: tuple[str, ...]) -> Iterator[tuple[str, Signature, Signature]]:
    return ((kind, *seen(kind)) for kind in kinds)


@pytest.mark.parametrize("kind", GROWS)
def test_a_gradual_fault_grows_as_much_and_fails_as_soon_in_both(kind: str):
    live, made = seen(kind)
    minutes, times, share = APART_BY_CHANCE if kind == "pool_exhaustion" else APART
    assert live.onset_min is not None
    assert made.onset_min is not None
    assert abs(live.onset_min - made.onset_min) <= minutes
    assert 1 / times < made.p95 / live.p95 < times
    assert min(live.p95, made.p95) > 1.2
    assert 0.3 < made.inflight / live.inflight < 3.0
    assert 0.6 < made.traffic / live.traffic < 1.6
    assert abs(made.failed - live.failed) < share
    assert live.well
    assert made.well


def test_only_demand_shows_in_the_traffic():
    for kind, live, made in each(GROWS):
        for one in (live, made):
            assert (one.traffic > 1.5) == (kind in ("load_ramp", "retry_storm")), (kind, one)


@pytest.mark.parametrize("kind", SUDDEN)
def test_a_sudden_fault_fails_at_once_and_in_the_same_way(kind: str):
    live, made = seen(kind)
    assert live.onset_min == made.onset_min == 0
    assert abs(made.failed - live.failed) < 0.15
    assert (made.broken > 0.5) == (live.broken > 0.5) == (kind != "bad_deploy")
    assert made.well


@pytest.mark.parametrize("kind", ["flash_crowd", "slow_dependency"])
def test_a_look_alike_shows_and_never_fails(kind: str):
    live, made = seen(kind)
    assert live.onset_min is made.onset_min is None
    assert 0.5 < made.p95 / live.p95 < 2.0
    assert max(made.p95, made.traffic) > 1.4


def test_what_heals_in_time_has_grown_and_never_fails():
    faults, live, made = both(len(WORLDS) - 1)
    (fault,) = (one for one in faults if one.heals)
    for run in (live, made):
        shown = signature(run, fault)
        assert shown.onset_min is None
        assert shown.p95 > 1.5


def test_a_calm_minute_is_the_same_in_both():
    _, live, made = both(0)
    for service, minutes in made.items():
        theirs = live[service][:3]
        p95 = sum(one.p95_ms for one in minutes[:3]) / sum(one.p95_ms for one in theirs)
        assert 0.6 < p95 < 1.5, service
        requests = sum(one.requests for one in minutes[:3]) / sum(one.requests for one in theirs)
        assert 0.75 < requests < 1.33, service
