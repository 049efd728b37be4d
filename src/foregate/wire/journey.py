"""A journey: the spans of one trace, put together. What is stored of it, what is asked, and what people see."""

from hashlib import blake2b
from typing import Literal

import msgspec

from foregate.wire.span import Span, SpanKind
from foregate.wire.survey import KeptBecause


class Summary(msgspec.Struct, array_like=True, frozen=True):
    """A kept journey in a line. Its `service`, `environment`, `route` and `method` are those of its root span.

    `truncated`: spans beyond the bound of one trace, which were cut. `participants`: (service, environment) that took
    part, or were asked and never reported. `skew_ms`: the largest correction of a clock. `duration_ms` is the root's.
    """

    org: str
    trace_id: str
    start_s: float
    duration_ms: float
    service: str
    environment: str
    route: str
    name: str
    failed: bool
    spans: int
    reason: KeptBecause
    truncated: int = 0
    skew_ms: float = 0.0
    participants: tuple[tuple[str, str], ...] = ()
    method: str = ""
    http_status: int = 0
    request_id: str = ""


class Stored(msgspec.Struct, array_like=True, frozen=True):
    """A journey as it is kept."""

    summary: Summary
    spans: tuple[Span, ...]


class JourneyAsk(msgspec.Struct, frozen=True):
    """Journeys of `org` that began with from_s ≤ time < until_s. "" and 0 ask for nothing in particular.

    `service` and `environment`: of any that took part; `route` of the root.
    """

    org: str
    from_s: float
    until_s: float
    service: str = ""
    environment: str = ""
    route: str = ""
    duration_ms_min: float = 0.0
    failed: bool = False


class Row(msgspec.Struct, frozen=True):
    """A span in the waterfall: `depth` levels in, `offset_ms` after the journey's beginning, both times corrected.

    `self_ms`: in no child of it. `critical_ms`: on the critical path. `skew_ms`: how much earlier it is shown than its
    own clock said. `missing_parent`: the span that asked was never seen.
    """

    span_id: str
    parent_id: str
    depth: int
    service: str
    environment: str
    instance: str
    name: str
    kind: SpanKind
    offset_ms: float
    duration_ms: float
    self_ms: float
    critical_ms: float
    failed: bool
    skew_ms: float
    missing_parent: bool
    message: str = ""
    http_status: int = 0
    peer: str = ""
    region: str = ""
    cloud: str = ""
    source: str = "otlp"
    attributes: dict[str, str] = {}
    links: tuple[str, ...] = ()


class Segment(msgspec.Struct, frozen=True):
    """A piece of the critical path: nothing but this span kept the journey from ending earlier. Oldest first."""

    span_id: str
    offset_ms: float
    duration_ms: float


class Part(msgspec.Struct, frozen=True):
    """Where time went: in a `service`, on the `network` on the way to it, or at an `external` peer that is not seen.

    `environment` is "" for an external one. The parts of a journey add up to its duration.
    """

    kind: Literal["service", "network", "external"]
    service: str
    environment: str
    duration_ms: float
    share: float


class Journey(msgspec.Struct, frozen=True):
    """A journey as people see it. `duplicates`: spans that came twice; `cycles`: links that were cut."""

    summary: Summary
    rows: tuple[Row, ...]
    critical_path: tuple[Segment, ...]
    breakdown: tuple[Part, ...]
    missing_parents: int = 0
    roots: int = 1
    duplicates: int = 0
    cycles: int = 0


class Call(msgspec.Struct, array_like=True, frozen=True):
    """Who asks whom. A caller of "" is whoever is outside; a callee that does not report has the environment ""."""

    org: str
    caller: str
    caller_environment: str
    callee: str
    callee_environment: str


class CallMinute(msgspec.Struct, array_like=True, frozen=True):
    """One minute of a call, `start_s` its beginning. `latency`: an encoded `telemetry.sketch`, mergeable."""

    call: Call
    start_s: float
    requests: int
    errors: int
    latency: bytes


class Edge(msgspec.Struct, frozen=True):
    """A call over the asked time; quantiles in ms from merged sketches."""

    call: Call
    requests: int
    errors: int
    rps: float
    error_rate: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def trace_key(org: str, trace_id: str) -> bytes:
    """Twelve bytes that stand for a trace of an org: traces of two orgs never meet, whatever ids they have."""
    return blake2b(f"{org}\n{trace_id}".encode(), digest_size=12).digest()
