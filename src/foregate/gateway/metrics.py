"""The Prometheus page: sums over all workers of this machine, whichever of them is asked."""

from collections.abc import Iterable, Iterator, Sequence

from foregate.gateway import layout
from foregate.kernel.errors import ERRORS
from foregate.ports.blocks import Block, Blocks
from foregate.wire.snapshot import Snapshot

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[str, dict[str, str], float]
Named = Sequence[tuple[dict[str, str], Block]]

_SERVICE_FAMILIES = (
    ("foregate_retries_total", "counter", "Attempts beyond a request's first.", layout.RETRIES),
    ("foregate_retry_budget_exhausted_total", "counter", "Retries that the budget forbade.", layout.BUDGET_EXHAUSTED),
    ("foregate_hedges_total", "counter", "Second attempts made while the first was awaited.", layout.HEDGES),
    ("foregate_fallbacks_total", "counter", "Requests answered by a fallback.", layout.FALLBACKS),
    ("foregate_circuit_refused_total", "counter", "Requests refused by open circuits.", layout.BROKEN),
    ("foregate_service_circuit_open", "gauge", "Workers whose circuit of this service is open.", layout.SERVICE_OPEN),
    ("http_server_active_requests", "gauge", "Requests under way.", layout.INFLIGHT),
    ("foregate_waiting_requests", "gauge", "Requests that wait for a place in a service's bounds.", layout.WAITING),
    ("foregate_concurrency_limit", "gauge", "Requests that adaptive concurrency lets in; 0 without.", layout.PLACES),
)
_TARGET_FAMILIES = (
    ("foregate_breaker_state", "gauge", "Workers whose circuit to this target is open.", layout.CIRCUIT_OPEN),
    ("foregate_target_unhealthy", "gauge", "Workers whose checks find this target ill.", layout.UNHEALTHY),
    ("foregate_target_ejected", "gauge", "Workers that have ejected this target as an outlier.", layout.EJECTED),
    ("foregate_target_failures_total", "counter", "Failed attempts.", layout.FAILURES),
)
_WORKER_FAMILIES = (
    ("foregate_events_shed_total", "counter", "Events lost to a full spool.", layout.EVENTS_SHED),
    ("foregate_connections", "gauge", "Open client connections.", layout.CONNECTIONS),
    ("foregate_reloads_total", "counter", "Configurations put in force after the first.", layout.RELOADS),
    ("foregate_reloads_failed_total", "counter", "Configurations that a worker refused.", layout.RELOADS_FAILED),
    ("foregate_held_body_bytes", "gauge", "Bytes of bodies that policies read whole.", layout.HELD_BYTES),
    ("foregate_held_bodies_refused_total", "counter", "Requests refused for want of room there.", layout.HELD_REFUSED),
)
LINES_MAX = 500


def version_number(version: str) -> float:
    """A snapshot's version as a number that a cell holds exactly; -1 for one that is no digest."""
    try:
        return float(int(version[:12], 16))
    except ValueError:
        return -1.0


def render(snapshot: Snapshot, blocks: Blocks) -> bytes:
    """The text exposition format, whole."""
    return b"".join(pieces(snapshot, blocks))


def pieces(snapshot: Snapshot, blocks: Blocks) -> Iterator[bytes]:
    """The text exposition format, a piece of at most `LINES_MAX` samples at a time: with thousands of routes the whole
    takes a second, in which a worker has better to do."""
    lines: list[str] = []
    for name, kind, text, samples in _families(snapshot, blocks):
        lines += (f"# HELP {name} {text}", f"# TYPE {name} {kind}")
        for sample, labels, value in samples:
            lines.append(f"{sample}{_labels(labels)} {value:.17g}")
            if len(lines) >= LINES_MAX:
                yield ("\n".join(lines) + "\n").encode()
                lines.clear()
    yield ("\n".join(lines) + "\n").encode()


def _families(snapshot: Snapshot, blocks: Blocks) -> Iterator[tuple[str, str, str, Iterable[Sample]]]:
    routes = _routes(snapshot, blocks)
    services = _services(snapshot, blocks)
    targets = _targets(snapshot, blocks)
    (worker,) = blocks.claim([(layout.WORKER, layout.WORKER_CELLS)])
    name = "foregate_http_requests_total"
    yield name, "counter", "Requests answered, by status class.", _requests(routes, name)
    name = "http_server_request_duration_seconds"
    yield name, "histogram", "Duration of requests.", _durations(routes, name)
    name = "foregate_limited_total"
    yield name, "counter", "Requests refused by a limit or quota.", _cell(routes, name, layout.LIMITED)
    for name, kind, text, cell in _SERVICE_FAMILIES:
        yield name, kind, text, _cell(services, name, cell)
    for name, kind, text, cell in _TARGET_FAMILIES:
        yield name, kind, text, _cell(targets, name, cell)
    name = "foregate_errors_total"
    yield name, "counter", "Requests and messages answered with a problem, by code.", _codes(blocks, name)
    name = "foregate_config_info"
    yield name, "gauge", "The configuration that each worker serves by.", _versions(worker, name)
    for name, kind, text, cell in _WORKER_FAMILIES:
        yield name, kind, text, [(name, {}, worker.total(cell))]


def _routes(snapshot: Snapshot, blocks: Blocks) -> Named:
    found = blocks.claim([layout.route_block(name) for name in [*(r.name for r in snapshot.routes), layout.UNMATCHED]])
    labels = [{"service": " ".join(p.service for p in r.services), "route": r.name} for r in snapshot.routes]
    return list(zip([*labels, {"service": "", "route": ""}], found, strict=True))


def _services(snapshot: Snapshot, blocks: Blocks) -> Named:
    found = blocks.claim([layout.service_block(service.name) for service in snapshot.services])
    return [({"service": service.name}, block) for service, block in zip(snapshot.services, found, strict=True)]


def _targets(snapshot: Snapshot, blocks: Blocks) -> Named:
    pairs = [(service.name, target.url) for service in snapshot.services for target in service.targets]
    found = blocks.claim([layout.target_block(*pair) for pair in pairs])
    return [({"service": service, "target": url}, block) for (service, url), block in zip(pairs, found, strict=True)]


def _cell(named: Named, name: str, cell: int) -> Iterator[Sample]:
    for labels, block in named:
        yield name, labels, block.total(cell)


def _requests(routes: Named, name: str) -> Iterator[Sample]:
    for labels, block in routes:
        for offset, status_class in enumerate(layout.STATUS_CLASSES):
            yield name, {**labels, "status_class": status_class}, block.total(layout.CLASSES + offset)


def _durations(routes: Named, name: str) -> Iterator[Sample]:
    bounds = [f"{bound:g}" for bound in layout.DURATION_BOUNDS_S] + ["+Inf"]
    for labels, block in routes:
        count = 0.0
        for offset, bound in enumerate(bounds):
            count += block.total(layout.BUCKETS + offset)
            yield name + "_bucket", {**labels, "le": bound}, count
        yield name + "_sum", labels, block.total(layout.DURATION_SUM)
        yield name + "_count", labels, count


def _codes(blocks: Blocks, name: str) -> Iterator[Sample]:
    codes = sorted(ERRORS)
    for code, block in zip(codes, blocks.claim([layout.code_block(code) for code in codes]), strict=True):
        yield name, {"code": code}, block.total(layout.REFUSED)


def _versions(worker: Block, name: str) -> Iterator[Sample]:
    for index, number in enumerate(worker.each(layout.CONFIG_VERSION)):
        version = f"{int(number):012x}" if number > 0 else ""
        yield name, {"worker": str(index), "version": version}, 1.0


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
