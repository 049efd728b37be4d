"""Service level objectives: how much of an API may fail or be slow, and how much of that has been used up."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from foregate.wire.entity import Entity
from foregate.wire.settings import Settings

ObjectiveKind = Literal["availability", "latency"]
PERIOD_DAYS: Final = 30
LATENCY_SHARE: Final = 0.95


class Objective(Settings, frozen=True):
    """What is promised of a route over a rolling period of whole days (UTC): a share of requests that do not fail,
    a share that is answered within `latency_ms`, or both.

    `requests_min`: with fewer in the longer window of a rule, and `errors_min`: with fewer bad ones there, no burn
    rate raises an alert, whatever the share: three requests of which one failed are no reason to wake anybody.
    """

    availability: (
        Annotated[float, Meta(gt=0.0, lt=1.0, description="Share of requests without a 5xx: 0.999.")] | None
    ) = None
    latency_ms: Annotated[float, Meta(gt=0, le=3_600_000)] | None = None
    latency_share: Annotated[float, Meta(gt=0.0, lt=1.0, description="Share of requests within latency_ms.")] = (
        LATENCY_SHARE
    )
    period_days: Annotated[int, Meta(ge=1, le=90)] = PERIOD_DAYS
    requests_min: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    errors_min: Annotated[int, Meta(ge=1, le=1_000_000)] = 5

    def problem(self) -> str | None:
        """What these fields contradict."""
        if self.availability is None and self.latency_ms is None:
            return "promises nothing: give availability, latency_ms, or both"
        if self.latency_ms is None and self.latency_share != LATENCY_SHARE:
            return "latency_share: a share of requests within what? Give latency_ms, too"
        return None


class ObjectiveSet(msgspec.Struct, frozen=True):
    """Which objective holds for whom: that of the route's name, else `default` (None: there is none)."""

    default: Objective | None = None
    routes: dict[str, Objective] = {}

    def of(self, entity: Entity) -> Objective | None:
        return self.routes.get(entity.route, self.default)


class BurnRate(msgspec.Struct, array_like=True, frozen=True):
    """How many times faster than sustainable the budget was spent in the last `window_s`; None without requests."""

    window_s: int
    rate: float | None
    requests: float = 0.0
    bad: float = 0.0


class Budget(msgspec.Struct, array_like=True, frozen=True):
    """One objective's error budget over its period, in requests. `bad` are those that failed, or were too slow.

    `allowed` of the `requests` so far might have been bad. `left` is the share of it that is left: 1 untouched, 0
    spent, negative overspent; 1 without requests. `broken_in_s`: when it is spent if bad requests go on as in the last
    hour; 0 when it is spent, None when it will not be.
    """

    kind: ObjectiveKind
    target: float
    requests: float
    bad: float
    allowed: float
    left: float
    burn: tuple[BurnRate, ...] = ()
    broken_in_s: float | None = None


class ObjectiveState(msgspec.Struct, frozen=True):
    """An entity's objective at `time_s`. `days_seen` of the period's days are known: what was before is not counted."""

    time_s: float
    entity: Entity
    objective: Objective
    budgets: tuple[Budget, ...]
    days_seen: float
    note: str = ""  # e.g. "3 of 30 days seen"
