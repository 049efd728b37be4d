"""Events of what log lines say."""

from dataclasses import dataclass

from foregate.telemetry.formats.logs import Entry
from foregate.telemetry.identity import Routes
from foregate.wire.event import EVENT_PATH_BYTES_MAX, Protocol, RequestEvent

_PROTOCOLS: dict[str, Protocol] = {
    "http/2": "h2", "http/2.0": "h2", "h2": "h2", "http/3": "h2", "http/3.0": "h2", "websocket": "websocket",
}  # fmt: skip
_TEXT_CHARS_MAX = 256  # of each


@dataclass(frozen=True, slots=True)
class Belonging:
    """What the log does not say. `service`: for lines that name none; "" takes their host."""

    org: str
    service: str
    environment: str
    region: str = ""
    cloud: str = ""
    instance: str = ""


def event_of(entry: Entry, of: Belonging, routes: Routes) -> RequestEvent:
    """The route is the log's own, or made of the path."""
    service = (of.service or entry.service or entry.host.partition(":")[0] or "imported")[:_TEXT_CHARS_MAX]
    known = routes.of(of.org, service)
    error = entry.error
    return RequestEvent(
        entry.time_s,
        of.org,
        service,
        known.given(entry.route[:_TEXT_CHARS_MAX]) if entry.route else known.of_path(entry.path),
        entry.method[:32],
        entry.status,
        entry.latency_ms,
        entry.upstream_ms,
        entry.request_bytes,
        entry.response_bytes,
        entry.key_id[:_TEXT_CHARS_MAX],
        of.environment,
        entry.request_id[:_TEXT_CHARS_MAX],
        entry.trace_id[:32],
        entry.span_id[:16],
        1 if entry.upstream_ms or not error else 0,
        "refused" if error == "rate_limited" else "none",
        "open" if error == "circuit_open" else "none",
        entry.cache if entry.cache in ("hit", "miss", "revalidated") else "none",  # type: ignore[arg-type]
        error,
        entry.target[:_TEXT_CHARS_MAX],
        0,
        entry.latency_ms,
        client=entry.client[:_TEXT_CHARS_MAX],
        path=entry.path[:EVENT_PATH_BYTES_MAX],
        protocol=_PROTOCOLS.get(entry.protocol, "http/1.1"),
        host=entry.host[:_TEXT_CHARS_MAX],
        parent_span_id=entry.parent_span_id[:16],
        region=of.region,
        cloud=of.cloud,
        instance=of.instance,
        source="import",
    )
