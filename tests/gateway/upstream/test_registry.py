"""What is known of services and targets survives every change of the configuration."""

import asyncio

import pytest
from tests.gateway.upstream.making import Held, ask, service, tcp, until
from tests.http1.world import Seen, run, serving

from foregate.gateway import layout
from foregate.gateway.forwarding.judging import tell_target
from foregate.gateway.upstream.registry import LEAVING_S
from foregate.gateway.upstream.target import TargetState
from foregate.kernel.clock import ManualClock
from foregate.wire.policies import CircuitBreaker, Policies, ServiceBreaker
from foregate.wire.snapshot import ActiveCheck, Balance, Health, OutlierDetection, Service

A, B, C = tcp(9_001), tcp(9_002), tcp(9_003)


def trip(target: TargetState) -> None:
    for _ in range(20):
        target.circuit.enter(0.0)
        target.circuit.failed(0.0)


def test_the_state_of_a_target_survives_changes_of_the_list_and_of_all_settings() -> None:
    held = Held(ManualClock())
    before = held.services.apply([service(A, B)], held.cells_of)["svc"]
    first = before.targets[0]
    trip(first)
    first.began(0.0)
    first.ended(0.0, True, 0.3)
    first.ejection.eject(0.0, 60.0)
    changed = service(
        C, tcp(9_001, weight=5), balance=Balance(algorithm="p2c_ewma"), health=Health(outlier=OutlierDetection())
    )
    after = held.services.apply([changed, service(A, name="other")], held.cells_of)
    assert after["svc"] is before
    assert [target.url for target in before.targets] == [C.url, A.url]
    again = before.targets[1]
    assert again is first
    assert (again.circuit.state, again.latency_s, again.ejection.active, again.weight) == ("open", 0.3, True, 5)
    assert after["other"].targets[0] is not first  # another service judges the same address by itself


def test_a_circuit_gets_new_settings_and_stays_open() -> None:
    held = Held(ManualClock())
    target = held.services.apply([service(A)], held.cells_of)["svc"].targets[0]
    trip(target)
    general = Policies(circuit_breaker=CircuitBreaker(failures=9, open_s=7.0))
    held.services.apply([service(A)], held.cells_of, general)
    assert (target.circuit.state, target.circuit.settings.failures) == ("open", 9)
    own = Service("svc", (A,), policies=Policies(circuit_breaker=CircuitBreaker(failures=2)))
    held.services.apply([own], held.cells_of, general)
    assert target.circuit.settings.failures == 2


def test_a_service_breaker_comes_changes_and_goes_with_its_settings() -> None:
    held = Held(ManualClock())
    state = held.services.apply([service(A)], held.cells_of)["svc"]
    assert state.breaker is None
    held.services.apply([service(A)], held.cells_of, Policies(service_breaker=ServiceBreaker(open_s=1.0)))
    breaker = state.breaker
    assert breaker is not None
    held.services.apply([service(A)], held.cells_of, Policies(service_breaker=ServiceBreaker(open_s=2.0)))
    assert state.breaker is breaker
    assert breaker.settings.open_s == 2.0
    held.services.apply([service(A)], held.cells_of)
    assert state.breaker is None


def test_what_left_a_moment_ago_comes_back_as_it_was() -> None:
    clock = ManualClock()
    held = Held(clock)
    state = held.services.apply([service(A, B)], held.cells_of)["svc"]
    first, second = state.targets
    held.services.apply([service(B)], held.cells_of)
    held.services.apply([], held.cells_of)
    clock.advance(LEAVING_S - 1.0)
    held.services.tick()
    assert held.services.apply([service(A, B)], held.cells_of)["svc"] is state
    assert list(state.targets) == [first, second]
    held.services.apply([], held.cells_of)
    clock.advance(LEAVING_S)
    held.services.tick()
    assert held.services.apply([service(A, B)], held.cells_of)["svc"] is not state


def test_who_left_with_requests_under_way_is_not_forgotten() -> None:
    clock = ManualClock()
    held = Held(clock)
    state = held.services.apply([service(A)], held.cells_of)["svc"]
    target = state.targets[0]
    target.began(0.0)
    held.services.apply([service(B)], held.cells_of)
    clock.advance(LEAVING_S * 10.0)
    held.services.tick()
    held.services.apply([service(A)], held.cells_of)
    assert state.targets[0] is target


def test_numbers_are_written_into_the_cells_of_the_name() -> None:
    held = Held(ManualClock())
    held.services.apply([service(A)], held.cells_of)
    assert set(held.cells) == {"service/svc", f"target/svc/{A.url}"}


def test_a_target_added_later_warms_up_and_those_there_from_the_beginning_do_not() -> None:
    clock = ManualClock()
    held = Held(clock)
    slow = Balance(algorithm="round_robin", slow_start_s=10.0)
    state = held.services.apply([service(A, balance=slow)], held.cells_of)["svc"]
    assert not state.targets[0].warming
    held.services.apply([service(A, B, balance=slow)], held.cells_of)
    new = state.targets[1]
    assert new.warming

    def share_of_new() -> float:
        return sum(state.choose(0.0) is new for _ in range(400)) / 400

    clock.advance(2.0)
    early = sum(new.turn_comes(clock.monotonic()) for _ in range(400)) / 400
    assert early == pytest.approx(0.2, abs=0.01)
    clock.advance(8.0)
    assert new.share(clock.monotonic()) == 1.0
    assert not new.warming
    assert share_of_new() == pytest.approx(0.5, abs=0.01)


def test_a_target_whose_circuit_closes_warms_up() -> None:
    held = Held(ManualClock())
    state = held.services.apply([service(A, B, balance=Balance(slow_start_s=10.0))], held.cells_of)["svc"]
    target = state.targets[0]
    trip(target)
    now_s = target.circuit.open_until_s
    tell_target(state, target, target.circuit.enter(now_s), True, now_s, lambda what, facts: None)
    assert target.circuit.state == "closed"
    assert target.warming
    assert target.share(now_s + 5.0) == 0.5


def test_the_one_to_avoid_is_the_last_resort() -> None:
    held = Held(ManualClock())
    state = held.services.apply([service(A, B)], held.cells_of)["svc"]
    first, second = state.targets
    assert all(state.choose(0.0, None, first) is second for _ in range(10))
    trip(second)
    assert state.choose(0.0, None, first) is first
    trip(first)
    assert state.choose(0.0, None, first) is None
    assert state.retry_after_s(0.0) == CircuitBreaker().open_s


def test_when_all_circuits_of_the_near_zone_are_open_the_far_ones_serve() -> None:
    held = Held(ManualClock())
    near, far = tcp(9_001, zone="a"), tcp(9_002, zone="b")
    state = held.services.apply([service(near, far, balance=Balance(zone="a"))], held.cells_of)["svc"]
    assert {state.choose(0.0) for _ in range(20)} == {state.targets[0]}
    trip(state.targets[0])
    assert {state.choose(0.0) for _ in range(20)} == {state.targets[1]}
    held.services.tick()
    assert {state.choose(0.0) for _ in range(20)} == {state.targets[1]}


def test_an_only_target_serves_whatever_its_checks_say() -> None:
    held = Held(ManualClock())
    active = ActiveCheck(unhealthy=1)
    state = held.services.apply([service(A, health=Health(active=active))], held.cells_of)["svc"]
    target = state.targets[0]
    target.probation.note(False, active)
    state.health_changed(target, "target_unhealthy", 0.0)
    assert state.choose(0.0) is target
    assert target.cells[layout.UNHEALTHY] == 1.0
    assert held.said == ["target_unhealthy", "no_healthy_target_left"]
    held.services.apply([service(A)], held.cells_of)  # nobody asks any more
    assert target.usable
    assert target.cells[layout.UNHEALTHY] == 0.0


def test_a_removed_service_keeps_serving_what_still_holds_it_without_keeping_connections() -> None:
    async def main() -> None:
        held = Held()
        async with serving(Seen()) as port:
            target = held.services.apply([service(tcp(port))], held.cells_of)["svc"].targets[0]
            held.services.apply([], held.cells_of)
            assert await (await ask(target.pool)).read() == b"/"
            await until(lambda: target.pool.connections == 0)
            await held.close()

    run(main)


def test_closing_breaks_off_what_is_under_way() -> None:
    async def main() -> None:
        async with serving(Seen()) as port:
            held = Held()
            target = held.services.apply([service(tcp(port))], held.cells_of)["svc"].targets[0]
            made = await target.pool.open()
            assert not isinstance(made, str)
            await asyncio.wait_for(held.close(), 10.0)
            assert target.pool.connections == 0
            assert await target.pool.open() == "overloaded"

    run(main)
