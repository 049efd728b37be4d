"""Which target is next: the least loaded of those whose circuit admits, in turn where several are."""

from foregate.gateway.upstream.target import ServiceState, TargetState


def choose(service: ServiceState, now_s: float, avoid: TargetState | None) -> TargetState | None:
    """The target to send to, or None when every circuit is open. `avoid` (the one that failed) is the last resort."""
    targets = service.targets
    if len(targets) == 1:
        only = targets[0]
        return only if only.circuit.state == "closed" or only.circuit.admits(now_s) else None
    count = len(targets)
    service.turn = start = (service.turn + 1) % count
    best: TargetState | None = None
    for step in range(count):
        target = targets[(start + step) % count]
        if target is avoid or not target.circuit.admits(now_s):
            continue
        if best is None or target.inflight < best.inflight:
            best = target
    if best is None and avoid is not None and avoid.circuit.admits(now_s):
        return avoid
    return best


def retry_after_s(service: ServiceState, now_s: float) -> float:
    """How long until the first circuit of this service lets a trial through."""
    return max(0.0, min(target.circuit.open_until_s for target in service.targets) - now_s)
