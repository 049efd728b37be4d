"""What is true of a made world's minutes and hidden from foregate: its services' inner state, and its faults.

Each is told as it is at the end of a minute; neither how long a fault will last nor whether it will heal is told.
"""

from collections.abc import Iterable
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.lab.catalogue import KINDS
from foregate.lab.minutes import WorldPlan
from foregate.lab.minutes.knobs import knobs
from foregate.lab.minutes.plan import ServicePlan, Trouble
from foregate.lab.minutes.requests import by_minute
from foregate.lab.minutes.settle import Flow, settle
from foregate.lab.minutes.traffic import traffic

Array = NDArray[np.float64]

_INNER: Final = (
    "seats busy",  # share
    "load",  # offered seconds of work per second, of those for which there are seats
    "refused",  # share for which there was no seat
    "heap alive",  # share of the limit
    "connections taken",  # share
    "quota spent",  # share
    "failed",  # share of attempts
    "hold",  # seconds that a seat is held, relative to ordinary ones
)
STATE: Final = (*_INNER, *(f"{name}, worst of those called" for name in _INNER))
FAULT: Final = ("kind", "age", "minutes left", "fewest minutes left of those called")
NO_KIND: Final = -1.0
_NUMBER: Final = {kind: float(number) for number, kind in enumerate(KINDS)}


def hidden(plan: WorldPlan) -> NDArray[np.float32]:
    """(E, N, len(STATE) + len(FAULT)): of every entity in the order of its telemetry, at the end of every minute.

    NaN where there is none: of what a service calls that calls nobody, of the age of no fault.
    """
    flows = settle(plan, traffic(plan), knobs(plan))
    inner = {service.name: _inner(service, flows[service.name]) for service in plan.services}
    faults = {service.name: _fault(service.name, plan) for service in plan.services}
    nobody = np.full((plan.minutes, len(_INNER)), np.nan)
    never = np.full(plan.minutes, np.nan)
    rows = []
    for service in plan.services:
        called = [name for name, _ in service.calls]
        worst = np.fmax.reduce([nobody, *(inner[name] for name in called)])
        soonest = np.fmin.reduce([never, *(faults[name][:, 2] for name in called)])
        columns = [inner[service.name], worst, faults[service.name], soonest[:, None]]
        rows.append([np.concatenate(columns, axis=1)] * len(service.routes))
    return np.stack(list(chain.from_iterable(rows))).astype(np.float32)


def _inner(service: ServicePlan, flow: Flow) -> Array:
    """(N, len(_INNER)): what is settled in the last step of each minute."""
    profile = service.profile
    seats = profile.seats(1.0) * profile.instances
    steps = (
        flow.busy,
        flow.offered * flow.hold_s / seats,
        flow.seat.refused,
        flow.live_mb / profile.heap_limit_mb,
        flow.connected,
        1.0 - flow.quota_left,
        flow.failed,
        flow.hold_s / profile.hold_s,
    )
    return np.stack([by_minute(each)[:, -1] for each in steps], axis=1)


def _fault(service: str, plan: WorldPlan) -> Array:
    """(N, 3): kind, age as a share of its reach and minutes left to it, of the gradual fault that is on."""
    out = np.full((plan.minutes, 3), np.nan)
    out[:, 0] = NO_KIND
    end_s = 60.0 * np.arange(1, plan.minutes + 1)
    for one in _gradual(service, plan.troubles):
        on = (end_s >= one.start_s) & (end_s < one.start_s + one.duration_s)
        age_s = end_s[on] - one.start_s
        out[on] = np.stack([np.full_like(age_s, _NUMBER[one.kind]), age_s / one.reach_s, (one.reach_s - age_s) / 60], 1)
    return out


def _gradual(service: str, troubles: Iterable[Trouble]) -> Iterable[Trouble]:
    """Those that take a while to failure; a service has one at a time."""
    return (one for one in troubles if one.service == service and one.reach_s > 0.0)
