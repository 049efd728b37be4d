"""The lab's own HTTP endpoint, on loopback: see and switch faults, look inside, change the traffic.

    GET    /faults        {"kinds": [...], "active": [...], "schedule": [...]}
    POST   /faults        {"kind", "service", "severity"?: 0..1, "duration_s"?} → 201 and the active fault
    DELETE /faults/{id}   204
    GET    /state         the inside of every service
    POST   /traffic       {"rate": requests/s} → {"rate"}

Changes need `content-type: application/json`, which a foreign web page cannot send without asking first.
Errors are problem+json: invalid_parameter, not_found, conflict (too many at once), method_not_allowed.
"""

from typing import Any

import msgspec

from foregate.http1 import Request, Response
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.lab.catalogue import KINDS
from foregate.lab.faults.board import Active, TooMany
from foregate.lab.heart import Heart
from foregate.lab.live.state import state_of
from foregate.lab.scenario import Fault

SCHEDULE_SHOWN = 8
BODY_BYTES_MAX = 4_096
RATE_MAX = 500.0  # requests/s that the traffic may be set to
GRADUAL_OF_REACH = 1.3  # a gradual fault switched on by hand lasts so much of its reach, and AFTER_S more
AFTER_S = 180.0
SUDDEN_S = 120.0
DURATION_S_MAX = 7_200.0


class _NewFault(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    service: str
    severity: float = 0.7
    duration_s: float | None = None


class _NewTraffic(msgspec.Struct, forbid_unknown_fields=True):
    rate: float


class Control:
    """`handle` is the endpoint's request handler."""

    def __init__(self, heart: Heart, clock: Clock, extra_state: dict[str, Any]) -> None:
        self._heart = heart
        self._clock = clock
        self._extra = extra_state  # live counters that only the lab's runner has, read at each request

    async def handle(self, request: Request) -> Response:
        body = b""
        if request.method == "POST":
            if not (request.header("content-type") or "").startswith("application/json"):
                raise ForegateError("invalid_parameter", "send content-type: application/json")
            body = await request.body(BODY_BYTES_MAX)
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["faults"]:
                return _json(200, self._faults())
            case "POST", ["faults"]:
                return _json(201, self._start(body))
            case "DELETE", ["faults", fault_id]:
                return self._stop(fault_id)
            case "GET", ["state"]:
                return _json(200, state_of(self._heart) | {name: read() for name, read in self._extra.items()})
            case "POST", ["traffic"]:
                return _json(200, self._traffic(body))
            case _, ["faults"] | ["faults", _] | ["state"] | ["traffic"]:
                raise ForegateError("method_not_allowed")
            case _:
                raise ForegateError("not_found")

    def _faults(self) -> dict[str, Any]:
        began_s = self._clock.now() - self._heart.now_s
        return {
            "kinds": [
                {
                    "kind": kind.name,
                    "title": kind.title,
                    "description": kind.description,
                    "gradual": kind.gradual,
                    "foreseeable": kind.foreseeable,
                    "benign": kind.benign,
                    "services": list(kind.services),
                }
                for kind in KINDS.values()
            ],
            "active": [self._active(active) for active in self._heart.board.active],
            "schedule": [
                _described(fault) | {"starts_s": began_s + fault.start_s, "duration_s": fault.duration_s}
                for fault in self._heart.board.scheduled[:SCHEDULE_SHOWN]
            ],
        }

    def _active(self, active: Active) -> dict[str, Any]:
        """Times are Unix seconds."""
        started_s = self._clock.now() - self._heart.now_s + active.fault.start_s
        return _described(active.fault) | {
            "id": active.id,
            "by": active.by,
            "started_s": started_s,
            "ends_s": started_s + active.fault.duration_s,
        }

    def _start(self, body: bytes) -> dict[str, Any]:
        wanted = _decode(body, _NewFault)
        try:
            fault = Fault(wanted.kind, wanted.service, 0.0, 1.0, wanted.severity)
            duration_s = wanted.duration_s if wanted.duration_s is not None else _usual_duration_s(fault)
            if not 1.0 <= duration_s <= DURATION_S_MAX:
                raise ValueError(f"duration_s is a number from 1 to {DURATION_S_MAX:.0f}")
            fault = Fault(wanted.kind, wanted.service, 0.0, duration_s, wanted.severity)
            return self._active(self._heart.board.start(fault, self._heart.now_s))
        except ValueError as error:
            raise ForegateError("invalid_parameter", str(error)) from error
        except TooMany as error:
            raise ForegateError("conflict", str(error)) from error

    def _stop(self, fault_id: str) -> Response:
        if not self._heart.board.stop(fault_id):
            raise ForegateError("not_found", "no such fault is active")
        return Response(204, b"", ())

    def _traffic(self, body: bytes) -> dict[str, Any]:
        rate = _decode(body, _NewTraffic).rate
        if not 0.0 <= rate <= RATE_MAX:
            raise ForegateError("invalid_parameter", f"rate is a number from 0 to {RATE_MAX:.0f}")
        self._heart.arrivals.rate = rate
        return {"rate": rate}


def _described(fault: Fault) -> dict[str, Any]:
    kind = KINDS[fault.kind]
    return {
        "kind": fault.kind,
        "title": kind.title,
        "service": fault.service,
        "severity": fault.severity,
        "gradual": kind.gradual,
    }


def _usual_duration_s(fault: Fault) -> float:
    if KINDS[fault.kind].gradual and not KINDS[fault.kind].benign:
        return GRADUAL_OF_REACH * fault.reach_s + AFTER_S
    return SUDDEN_S


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ForegateError("invalid_parameter", str(error)) from error


def _json(status: int, value: Any) -> Response:
    return Response(status, msgspec.json.encode(value))
