"""Telling circuits and breakers how an attempt ended."""

from __future__ import annotations

from foregate.gateway import layout
from foregate.gateway.policies.breaker import State
from foregate.gateway.policies.policy import Log
from foregate.gateway.upstream import ServiceState, TargetState

Outcome = bool | None  # succeeded, failed; None: it says nothing about the upstream, e.g. its client left


def tell_target(
    service: ServiceState, target: TargetState, entered: State | None, outcome: Outcome, now_s: float, log: Log
) -> None:
    """Tell the target's circuit. `entered`: the state in which it let the attempt pass; None: whatever it is now."""
    circuit = target.circuit
    if outcome is False:
        target.cells[layout.FAILURES] += 1.0
    if entered is not None and entered != circuit.state:
        return  # it was sent before the circuit changed: it proves nothing about now
    if outcome is None:
        circuit.left()
        return
    if circuit.succeeded() if outcome else circuit.failed(now_s):
        closed = circuit.state == "closed"
        target.cells[layout.CIRCUIT_OPEN] = 0.0 if closed else 1.0
        if closed:
            service.recovered(target, now_s)
        facts: dict[str, object] = {"service": service.name, "target": target.url}
        log("circuit_closed" if closed else "circuit_opened", facts)


def tell_service(service: ServiceState, entered: State, outcome: Outcome, now_s: float, log: Log) -> None:
    """Tell the service's breaker, if it still has one."""
    breaker = service.breaker
    if breaker is None:
        return
    if outcome is None:
        breaker.left(entered)
    elif breaker.answered(now_s, not outcome, entered):
        closed = breaker.state == "closed"
        service.cells[layout.SERVICE_OPEN] = 0.0 if closed else 1.0
        log("service_breaker_closed" if closed else "service_breaker_opened", {"service": service.name})
