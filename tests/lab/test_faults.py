"""Each kind of fault leaves its own signature; gradual ones announce themselves; look-alikes never fail."""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest
from tests.lab.looking import Minute, Table, by_minute, first_bad

from foregate.lab import Fault, Scenario
from foregate.lab.catalogue import KINDS
from foregate.lab.faults.board import ACTIVE_MAX, Board, TooMany
from foregate.lab.model.world import World

CALM_MINUTES = 4
RATE = 26.0  # requests/s over all services
ROUTE = {"payments": "/payments", "search": "/search", "users": "/users", "orders": "/orders", "ai": "/ai"}


class Run(NamedTuple):
    table: Table
    fault: Fault

    @property
    def minutes(self) -> dict[int, Minute]:
        return self.table[ROUTE[self.fault.service]]

    def usual(self) -> Minute:
        """All calm minutes as one."""
        return Minute([event for number in range(CALM_MINUTES) for event in self.minutes[number].events])


def run(kind: str, service: str, *, severity: float = 1.0, lasts: float = 1.4, seed: int = 11) -> Run:
    """A calm start, then the fault for `lasts` times its reach (a gradual kind) or `lasts` × 3 minutes."""
    fault = Fault(kind, service, 60.0 * CALM_MINUTES, 1.0, severity)
    fault = replace(fault, duration_s=lasts * (fault.reach_s if KINDS[kind].gradual else 180.0))
    duration_s = fault.start_s + fault.duration_s + 150.0
    return Run(by_minute(Scenario(seed=seed, duration_s=duration_s, rate=RATE, faults=(fault,))), fault)


@cache
def grown(kind: str, service: str) -> Run:
    """A gradual fault from its beginning to after its end; several tests look at the same run."""
    return run(kind, service, severity=0.85)


@pytest.mark.parametrize(("kind", "service"), [
    ("memory_leak", "payments"), ("memory_leak", "ai"), ("pool_exhaustion", "users"), ("load_ramp", "search"),
    ("brownout", "orders"), ("retry_storm", "payments"), ("quota_exhaustion", "ai"),
])  # fmt: skip
def test_a_gradual_fault_slows_the_service_before_it_fails_and_leaves_it_well(kind: str, service: str):
    seen = grown(kind, service)
    usual = seen.usual()
    failing = first_bad(seen.minutes)
    assert failing is not None
    assert failing >= CALM_MINUTES + 2, "it failed at once"
    before = [seen.minutes[number] for number in range(CALM_MINUTES + 1, failing)]
    assert max(minute.p95_ms for minute in before) > 1.25 * usual.p95_ms
    assert max(minute.inflight for minute in before) > 1.1 * usual.inflight
    last = seen.minutes[max(seen.minutes) - 1]
    assert not last.bad
    assert last.p95_ms < 2.0 * usual.p95_ms


def nothing_fails(faults: list[Fault], seed: int) -> None:
    duration_s = max(fault.start_s + fault.duration_s for fault in faults) + 60.0
    table = by_minute(Scenario(seed=seed, duration_s=duration_s, rate=RATE, faults=tuple(faults)))
    assert {route: first_bad(minutes) for route, minutes in table.items()} == dict.fromkeys(table)


@pytest.mark.parametrize("befalls", [
    {"memory_leak": "payments", "pool_exhaustion": "users", "load_ramp": "search"},
    {"brownout": "search", "retry_storm": "users", "quota_exhaustion": "ai"},
])  # fmt: skip
def test_gradual_faults_that_heal_in_time_never_fail(befalls: dict[str, str]):
    faults = [Fault(kind, service, 60.0, 110.0, 0.8) for kind, service in befalls.items()]
    assert all(fault.heals for fault in faults)
    nothing_fails(faults, seed=5)


@pytest.mark.parametrize("service", ["users", "orders"])
def test_look_alikes_never_fail(service: str):
    kinds = ("batch_job", "flash_crowd", "slow_dependency")
    faults = [Fault(kind, service, 60.0 + 200.0 * place, 150.0, 0.8) for place, kind in enumerate(kinds)]
    nothing_fails([Fault("blip", service, 20.0, 25.0, 0.8), *faults], seed=3)


def test_severity_sets_how_soon_it_fails():
    quick = first_bad(grown("memory_leak", "payments").minutes)
    slow = first_bad(run("memory_leak", "payments", severity=0.425, lasts=1.1).minutes)
    assert quick is not None
    assert slow is not None
    assert slow - CALM_MINUTES >= 1.8 * (quick - CALM_MINUTES)


def test_a_crash_refuses_connections_and_the_circuit_opens():
    seen = run("crash", "search", lasts=0.7)
    minute = seen.minutes[CALM_MINUTES]
    assert minute.bad
    errors = {event.error for event in minute.events}
    assert {"upstream_refused", "circuit_open"} <= errors
    refused = [event for event in minute.events if event.error == "circuit_open"]
    assert all(event.attempts == 0 or event.method == "GET" for event in refused)
    assert all(event.breaker == "open" for event in refused)


def test_one_of_two_ai_processes_may_die_and_the_other_carries_on():
    seen = run("crash", "ai", severity=0.3, lasts=0.7)
    minute = seen.minutes[CALM_MINUTES + 1]
    assert sum(event.status == 200 for event in minute.events) > 0.5 * len(minute.events)


def test_a_bad_deploy_steps_up_errors_and_latency_at_once():
    seen = run("bad_deploy", "users", severity=0.6, lasts=0.7)
    before, after = seen.usual(), seen.minutes[CALM_MINUTES + 1]
    assert before.failed < 0.02 * len(before.events)
    assert 0.2 < after.failed / len(after.events) < 0.5
    assert after.p95_ms > 1.1 * before.p95_ms


def test_a_load_ramp_shows_in_the_traffic_and_a_retry_storm_multiplies_it():
    for kind, service in (("load_ramp", "search"), ("retry_storm", "payments")):
        seen = grown(kind, service)
        last = seen.minutes[CALM_MINUTES + 3]
        assert len(last.events) > 1.6 * len(seen.minutes[CALM_MINUTES - 1].events), kind


def test_trouble_travels_from_payments_to_orders_but_not_to_search():
    seen = run("brownout", "payments")
    assert first_bad(seen.table["/orders"]) is not None
    assert first_bad(seen.table["/search"]) is None


def test_a_used_up_quota_answers_503_without_a_timeout():
    seen = grown("quota_exhaustion", "ai")
    failing = first_bad(seen.minutes)
    assert failing is not None
    bad = [event for event in seen.minutes[failing + 1].events if event.failed]
    assert {event.status for event in bad} == {503}
    assert not any(event.timed_out for event in bad)


def test_faults_come_and_go_by_hand():
    world = World(Scenario(1))
    board = Board(world, (Fault("brownout", "users", 50.0, 100.0),))
    active = board.start(Fault("bad_deploy", "search", 0.0, 30.0, 1.0), 10.0)
    assert world.services["search"].error_share.value > 0.4
    assert [fault.kind for fault in board.scheduled] == ["brownout"]
    board.step(39.9)
    assert [one.id for one in board.active] == [active.id]
    board.step(60.0)
    assert [one.fault.kind for one in board.active] == ["brownout"]
    assert world.services["search"].error_share.value == world.services["search"].profile.noise
    assert board.stop(board.active[0].id)
    assert not board.stop("flt_9999")
    assert world.services["users"].database.slow.value == 1.0


def test_there_is_a_bound_on_faults_at_once():
    board = Board(World(Scenario(1)))
    for _ in range(ACTIVE_MAX):
        board.start(Fault("slow_dependency", "users", 0.0, 10.0), 0.0)
    with pytest.raises(TooMany):
        board.start(Fault("slow_dependency", "users", 0.0, 10.0), 0.0)
