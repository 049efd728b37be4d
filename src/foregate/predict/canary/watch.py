"""All canaries of a configuration: fed with events, asked now and then who is to be rolled back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from foregate.predict.canary.arm import Arm
from foregate.predict.canary.judge import Counts, verdict
from foregate.wire.canary import Canary, fingerprint
from foregate.wire.event import RequestEvent
from foregate.wire.verdicts import RolledBack

_OURS = frozenset({"client_closed"})  # says nothing about whom was asked
_NOT_ASKED = "circuit_open"  # because it had failed before: its clients get failures all the same
_FELL_BACK = "fallback:service:"  # said in events with the name of the service that had failed


class Watched(NamedTuple):
    """A route's canary: `service` is what it is to replace."""

    route: str
    service: str
    canary: Canary


class CanaryWatch:
    """Times are Unix seconds. Bounded by the configuration: two arms per canary, each of a bounded number of slices."""

    def __init__(self) -> None:
        self._watched: dict[str, Watched] = {}
        self._arms: dict[tuple[str, str], Arm] = {}
        self._from_s: dict[str, float] = {}

    def follow(self, canaries: Iterable[Watched]) -> None:
        """These are configured now. One whose settings have changed is watched anew."""
        before, self._watched = self._watched, {each.route: each for each in canaries}
        self._from_s = {route: from_s for route, from_s in self._from_s.items() if route in self._watched}
        arms, self._arms = self._arms, {}
        for route, each in self._watched.items():
            same = before.get(route) == each
            for service in (each.service, each.canary.service):
                known = arms.get((route, service)) if same else None
                self._arms[route, service] = known or Arm(each.canary.window_s)

    @property
    def watched(self) -> Sequence[Watched]:
        """Those that are configured."""
        return tuple(self._watched.values())

    def forget(self, route: str, until_s: float) -> None:
        """Judge this route's canary by what it does after `until_s`, whenever its events come."""
        if self._from_s.get(route, -inf) >= until_s:
            return
        self._from_s[route] = until_s
        each = self._watched.get(route)
        if each is not None:
            for service in (each.service, each.canary.service):
                self._arms[route, service] = Arm(each.canary.window_s)

    def add(self, events: Iterable[RequestEvent]) -> None:
        if not self._arms:
            return
        for event in events:
            if event.route not in self._watched:
                continue
            arm = self._arms.get((event.route, _given_to(event)))
            if arm is None or event.error in _OURS or not (event.attempts or event.error == _NOT_ASKED):
                continue
            if event.time_s > self._from_s.get(event.route, -inf):
                failed = event.failed or "fallback:" in event.policies  # however good the answer was that came instead
                arm.add(event.time_s, failed, event.first_byte_ms)

    def judge(self, now_s: float, risks: Mapping[tuple[str, str], float]) -> list[RolledBack]:
        """Those that are to end now. `risks`: by (route, service)."""
        found = []
        for each in self._watched.values():
            new, old = self.counts(each, now_s, risks)
            why = verdict(each.canary, new, old)
            if why is not None:
                found.append(RolledBack(each.route, each.canary.service, None, why, now_s, fingerprint(each.canary)))
        return found

    def counts(self, each: Watched, now_s: float, risks: Mapping[tuple[str, str], float]) -> tuple[Counts, Counts]:
        """Of the canary, and of what it is to replace."""
        old_arm, new_arm = self._arms[each.route, each.service], self._arms[each.route, each.canary.service]
        old_arm.expire(now_s)
        new_arm.expire(now_s)
        limit_ms = old_arm.quantile_ms(0.95) * (each.canary.slower_than or 1.0)
        return (
            _counts(new_arm, limit_ms, risks.get((each.route, each.canary.service), -1.0)),
            _counts(old_arm, limit_ms, risks.get((each.route, each.service), -1.0)),
        )


def _given_to(event: RequestEvent) -> str:
    """The service that was to answer; after a fallback `event.service` is the one that did."""
    _, fell_back, rest = event.policies.partition(_FELL_BACK)
    return rest.partition(" ")[0] if fell_back else event.service


def _counts(arm: Arm, limit_ms: float, risk: float) -> Counts:
    return Counts(arm.requests, arm.failures, arm.quantile_ms(0.95), arm.slower_than(limit_ms), risk)
