"""What a worker keeps of one service: its targets, who of them gets requests, and which one is next."""

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from foregate.gateway import layout
from foregate.gateway.policies.gate import DOORS, Door
from foregate.gateway.policies.retry_budget import RetryBudget
from foregate.gateway.policies.service_breaker import ServiceBreaker
from foregate.gateway.upstream.balance import Balancer, make_balancer
from foregate.gateway.upstream.balance.candidate import takes
from foregate.gateway.upstream.balance.zones import Placed, split
from foregate.gateway.upstream.subject import SubjectOf, subject_of
from foregate.gateway.upstream.target import TargetState
from foregate.ports.blocks import Cells
from foregate.wire.policies import NO_POLICIES, Policies
from foregate.wire.snapshot import Balance, Service

if TYPE_CHECKING:
    from foregate.gateway.policies.policy import Log

MakeDoor = Callable[[str, Any, str], Door]  # (kind, settings, service)


class ServiceState:
    """One service. It stays the same object over reloads; `settle` brings it new settings and targets.

    `hashes`: the balancer wants `subject_of(request)`. `inflight` and `begun` (requests under way, and ever begun) are
    counted by whoever serves them. `breaker` is None for a service without one; `doors` are the policies that bound how
    many of its requests are under way, in their order.
    """

    __slots__ = (
        "_balance",
        "_balancer",
        "_doors",
        "_only",
        "_reserve",
        "_rng",
        "begun",
        "breaker",
        "budget",
        "cells",
        "doors",
        "hashes",
        "header_line",
        "inflight",
        "log",
        "name",
        "settings",
        "subject_of",
        "targets",
    )

    def __init__(self, settings: Service, cells: Cells, rng: random.Random, log: "Log") -> None:
        self.name = settings.name
        self.header_line = b"x-gateway-service: %s\r\n" % settings.name.encode()
        self.cells = cells
        self.log = log
        self.inflight = 0
        self.begun = 0
        self.budget = RetryBudget()
        self.breaker: ServiceBreaker | None = None
        self.doors: Sequence[Door] = ()
        self._doors: dict[str, Door] = {}  # those that there ever were: one that is set again knows who is inside
        self.targets: Sequence[TargetState] = ()
        self.settings = settings
        self._rng = rng
        self._only: TargetState | None = None
        self._reserve: Sequence[TargetState] = ()
        self._set_balance(settings.balance)

    def _set_balance(self, balance: Balance) -> None:
        self._balance = balance
        self._balancer: Balancer[TargetState] = make_balancer(balance, self._rng)
        self.hashes = balance.algorithm == "consistent_hash"
        self.subject_of: SubjectOf = subject_of(balance.hash_by)

    def guard(self, general: Policies, make: MakeDoor) -> None:
        """Keep to the bounds that are set on this service, or on all."""
        doors = []
        for kind in DOORS:
            wanted = getattr(self.settings.policies, kind) or getattr(general, kind)
            if wanted is None:
                continue
            door = self._doors.get(kind)
            if door is None:
                door = self._doors[kind] = make(kind, wanted, self.name)
            else:
                door.adopt(wanted)
            doors.append(door)
        self.doors = tuple(doors)

    def publish(self) -> None:
        """Show what is under way, what waits, and how much the service is believed to bear."""
        cells = self.cells
        cells[layout.INFLIGHT] = self.inflight
        cells[layout.WAITING] = sum(door.gate.waiting for door in self.doors)
        cells[layout.PLACES] = sum(door.gate.places for door in self.doors if door.name == "adaptive_concurrency")

    def settle(self, settings: Service, targets: Sequence[TargetState], general: Policies = NO_POLICIES) -> None:
        """Go on with these settings and (not empty) targets; what is known of targets is theirs and stays."""
        same = settings == self.settings and list(targets) == list(self.targets)
        self.settings = settings
        self.targets = targets
        if settings.balance != self._balance:
            self._set_balance(settings.balance)
        wanted = settings.policies.service_breaker or general.service_breaker
        if wanted is None:
            self.breaker = None
        elif self.breaker is None:
            self.breaker = ServiceBreaker(wanted)
        else:
            self.breaker.adopt(wanted)
        if not same:
            self.refresh()

    def refresh(self) -> None:
        """Decide anew who gets requests: called when targets, their health or (with zones) their circuits change."""
        targets = self.targets
        self._only = targets[0] if len(targets) == 1 else None
        placed = [Placed(each.zone, each.usable, each.usable and each.circuit.state == "closed") for each in targets]
        active, self._reserve = split(targets, placed, self._balance.zone, self._balance.zone_spill)
        self._balancer.use(active)

    # --- every attempt ---------------------------------------------------------------------------------------

    def choose(
        self, now_s: float, subject: bytes | None = None, avoid: TargetState | None = None
    ) -> TargetState | None:
        """The target to send to, or None when every circuit is open. `avoid` (the one that failed) is the last resort.

        An only target gets all requests that its circuit admits, whatever its checks say: there is no better one.
        """
        only = self._only
        if only is not None:
            return only if only.circuit.state == "closed" or only.circuit.admits(now_s) else None
        found = self._balancer.choose(now_s, subject, avoid)
        return found if found is not None else self._last_resort(now_s, avoid)

    def _last_resort(self, now_s: float, avoid: TargetState | None) -> TargetState | None:
        """All that should get requests have open circuits: whoever is well elsewhere, then the one to be avoided."""
        able = [target for target in self._reserve if takes(target, now_s, avoid)]
        if able:
            return min(able, key=lambda target: target.inflight / target.weight)
        return avoid if avoid is not None and takes(avoid, now_s, None) else None

    def retry_after_s(self, now_s: float) -> float:
        """How long until the first circuit of this service lets a trial through."""
        return max(0.0, min(target.circuit.open_until_s for target in self.targets) - now_s)

    # --- health ----------------------------------------------------------------------------------------------

    def recovered(self, target: TargetState, now_s: float) -> None:
        """Its circuit has closed, or it is believed to be well again: it gets its share gradually."""
        target.warm_up(now_s, self._balance.slow_start_s)

    def health_changed(self, target: TargetState, what: str, now_s: float, **facts: object) -> None:
        """Told by whoever judges: `target` is believed to be well, or not, since now. Logged, shown, acted upon."""
        if target.usable:
            self.recovered(target, now_s)
        target.publish()
        self.refresh()
        self.log(what, {"service": self.name, "target": target.url, **facts})
        if not any(each.usable for each in self.targets):
            self.log("no_healthy_target_left", {"service": self.name, "effect": "all are used"})
