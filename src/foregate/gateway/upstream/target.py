"""What a worker keeps of each service and each of its targets."""

from foregate.gateway.policies.breaker import Circuit
from foregate.gateway.upstream.pool import Pool
from foregate.wire.snapshot import Service, Target


class TargetState:
    """One upstream address: its circuit, its connections, how many requests it has under way here."""

    __slots__ = ("circuit", "host_line", "inflight", "pool", "prefix", "slots", "url")

    def __init__(self, target: Target, service: Service, pool: Pool, slots: int) -> None:
        self.url = target.url
        self.host_line = b"host: %s\r\n" % target.authority.encode()
        self.prefix = target.prefix.encode()
        self.circuit = Circuit(service.breaker)
        self.pool = pool
        self.inflight = 0
        self.slots = slots  # first of this target's counters


class ServiceState:
    """One service. `turn` rotates among equally loaded targets."""

    __slots__ = ("header_line", "inflight", "name", "settings", "slots", "targets", "turn")

    def __init__(self, settings: Service, targets: list[TargetState], slots: int) -> None:
        self.name = settings.name
        self.settings = settings
        self.targets = targets
        self.slots = slots
        self.inflight = 0
        self.turn = 0
        self.header_line = b"x-gateway-service: %s\r\n" % settings.name.encode()
