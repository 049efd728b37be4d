"""A world's plan → its minutes, as the gateway before it would have recorded them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foregate.lab.minutes.columns import route_columns, service_columns
from foregate.lab.minutes.knobs import knobs
from foregate.lab.minutes.plan import WorldPlan
from foregate.lab.minutes.requests import outcomes
from foregate.lab.minutes.settle import settle
from foregate.lab.minutes.traffic import traffic
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, REQUIRED, FaultNote

_PLACE = {name: place for place, name in enumerate(COLUMNS)}


@dataclass(frozen=True, slots=True, eq=False)
class Telemetry:
    """E entities over N minutes in a row: `minutes` has shape (E, len(COLUMNS), N), NaN where nothing is known.

    Column j is the minute that begins at `start_s + 60 j` (Unix seconds). `calls`: (caller service, called service).
    """

    name: str
    start_s: float
    entities: tuple[Entity, ...]
    minutes: NDArray[np.float32]
    calls: frozenset[tuple[str, str]]
    faults: tuple[FaultNote, ...]


def generate(plan: WorldPlan) -> Telemetry:
    """All minutes of the world. The same plan gives the same bytes."""
    felt = knobs(plan)
    flows = settle(plan, traffic(plan), felt)
    entities, rows = [], []
    for service in plan.services:
        flow = flows[service.name]
        seen = [outcomes(plan, service, route, flow) for route in service.routes]
        shared = service_columns(plan, service, flow, seen)
        for route, one in zip(service.routes, seen, strict=True):
            entities.append(Entity(plan.name, service.name, route.path, plan.environment))
            own = route_columns(plan, service, route, flow, one)
            idle = own["requests"] == 0
            rows.append(_table(plan, shared | own | {"inflight_max": np.where(idle, 0.0, shared["inflight_max"])}))
    minutes = np.stack(rows)
    _forget(plan, entities, minutes)
    return Telemetry(plan.name, plan.start_s, tuple(entities), minutes, _calls(plan), _notes(plan))


def _table(plan: WorldPlan, columns: dict[str, NDArray[np.float64]]) -> NDArray[np.float32]:
    out = np.full((len(COLUMNS), plan.minutes), np.nan, dtype=np.float32)
    for name, values in columns.items():
        if name not in plan.unknown or name in REQUIRED:
            out[_PLACE[name]] = values
    return out


def _forget(plan: WorldPlan, entities: list[Entity], minutes: NDArray[np.float32]) -> None:
    for gap in plan.gaps:
        where = slice(int(gap.start_s // 60), int((gap.start_s + gap.duration_s) // 60) + 1)
        for row, entity in enumerate(entities):
            if gap.service in ("", entity.service):
                minutes[row, :, where] = np.nan


def _calls(plan: WorldPlan) -> frozenset[tuple[str, str]]:
    return frozenset((service.name, callee) for service in plan.services for callee, _ in service.calls)


def _notes(plan: WorldPlan) -> tuple[FaultNote, ...]:
    ordered = sorted(plan.troubles, key=lambda one: one.start_s)
    return tuple(
        FaultNote(
            one.kind, one.service, plan.start_s + one.start_s, one.duration_s, one.severity, one.heals, one.benign
        )
        for one in ordered
    )
