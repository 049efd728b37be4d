"""The Prometheus page: sums over all workers of this machine, whichever of them is asked."""

from collections.abc import Iterable, Iterator

from foregate.gateway import layout
from foregate.gateway.layout import Layout
from foregate.ports.counters import Counters
from foregate.wire.snapshot import Snapshot

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[str, dict[str, str], float]


def render(snapshot: Snapshot, slots: Layout, counters: Counters) -> bytes:
    """The text exposition format."""
    lines: list[str] = []
    total = counters.total

    def family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> None:
        lines.append(f"# HELP {name} {text}")
        lines.append(f"# TYPE {name} {kind}")
        lines.extend(f"{sample}{_labels(labels)} {value:.17g}" for sample, labels, value in samples)

    def per_service(name: str, offset: int) -> Iterator[Sample]:
        for service, first in zip(snapshot.services, slots.services, strict=True):
            yield name, {"service": service.name}, total(first + offset)

    def per_target(name: str, offset: int) -> Iterator[Sample]:
        for service, firsts in zip(snapshot.services, slots.targets, strict=True):
            for target, first in zip(service.targets, firsts, strict=True):
                yield name, {"service": service.name, "target": target.url}, total(first + offset)

    name = "foregate_http_requests_total"
    family(name, "counter", "Requests answered, by status class.", _requests(snapshot, slots, counters, name))
    name = "http_server_request_duration_seconds"
    family(name, "histogram", "Duration of requests.", _durations(snapshot, slots, counters, name))
    name = "foregate_limited_total"
    family(name, "counter", "Requests refused by a rate limit.", _limited(snapshot, slots, counters, name))
    name = "foregate_retries_total"
    family(name, "counter", "Attempts beyond a request's first.", per_service(name, layout.RETRIES))
    name = "foregate_circuit_refused_total"
    family(name, "counter", "Requests refused by open circuits.", per_service(name, layout.BROKEN))
    name = "http_server_active_requests"
    family(name, "gauge", "Requests under way.", per_service(name, layout.INFLIGHT))
    name = "foregate_breaker_state"
    family(
        name, "gauge", "Workers whose circuit to this target is open; 0: closed.", per_target(name, layout.CIRCUIT_OPEN)
    )
    name = "foregate_target_failures_total"
    family(name, "counter", "Failed attempts.", per_target(name, layout.FAILURES))
    name = "foregate_refused_messages_total"
    refused = enumerate(layout.REFUSED_CODES)
    family(
        name,
        "counter",
        "Messages refused for their form.",
        ((name, {"code": code}, total(layout.REFUSED + at)) for at, code in refused),
    )
    name = "foregate_events_shed_total"
    family(name, "counter", "Events lost to a full spool.", [(name, {}, total(layout.EVENTS_SHED))])
    name = "foregate_connections"
    family(name, "gauge", "Open client connections.", [(name, {}, total(layout.CONNECTIONS))])
    return ("\n".join(lines) + "\n").encode()


def _routes(snapshot: Snapshot, slots: Layout) -> Iterator[tuple[dict[str, str], int]]:
    for route, first in zip(snapshot.routes, slots.routes, strict=False):
        yield {"service": route.service, "route": route.path}, first
    yield {"service": "", "route": ""}, slots.routes[-1]


def _requests(snapshot: Snapshot, slots: Layout, counters: Counters, name: str) -> Iterator[Sample]:
    for labels, first in _routes(snapshot, slots):
        for offset, status_class in enumerate(layout.STATUS_CLASSES):
            yield name, {**labels, "status_class": status_class}, counters.total(first + layout.CLASSES + offset)


def _durations(snapshot: Snapshot, slots: Layout, counters: Counters, name: str) -> Iterator[Sample]:
    bounds = [f"{bound:g}" for bound in layout.DURATION_BOUNDS_S] + ["+Inf"]
    for labels, first in _routes(snapshot, slots):
        count = 0.0
        for offset, bound in enumerate(bounds):
            count += counters.total(first + layout.BUCKETS + offset)
            yield name + "_bucket", {**labels, "le": bound}, count
        yield name + "_sum", labels, counters.total(first + layout.DURATION_SUM)
        yield name + "_count", labels, count


def _limited(snapshot: Snapshot, slots: Layout, counters: Counters, name: str) -> Iterator[Sample]:
    for labels, first in _routes(snapshot, slots):
        yield name, labels, counters.total(first + layout.LIMITED)


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
