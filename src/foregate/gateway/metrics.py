"""The Prometheus page: sums over all workers of this machine, whichever of them is asked."""

from collections.abc import Iterable, Iterator
from itertools import islice

from foregate.gateway import layout
from foregate.gateway.ai import page
from foregate.kernel.errors import ERRORS
from foregate.ports.blocks import Block, Blocks
from foregate.wire.snapshot import Snapshot

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[str, str, float]  # its name, its labels as text, its value; None: looked at, and left out

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
    ("foregate_accept_pauses_total", "counter", "Pauses in accepting: nothing to do it with.", layout.ACCEPT_PAUSES),
    ("foregate_held_bodies_refused_total", "counter", "Requests refused for want of room there.", layout.HELD_REFUSED),
)
_MIRRORED = (
    ("same", layout.MIRROR_SAME),
    ("different", layout.MIRROR_DIFFERENT),
    ("failed", layout.MIRROR_FAILED),
    ("skipped", layout.MIRROR_SKIPPED),
)
_WEBSOCKET_FAMILIES = (
    ("foregate_websockets_open", "gauge", "Open WebSockets.", layout.WEBSOCKETS_OPEN),
    ("foregate_websocket_messages_in_total", "counter", "Messages from clients.", layout.WEBSOCKET_MESSAGES_IN),
    ("foregate_websocket_messages_out_total", "counter", "Messages to clients.", layout.WEBSOCKET_MESSAGES_OUT),
)
_CACHED = (
    ("hit", layout.CACHE_HITS),
    ("miss", layout.CACHE_MISSES),
    ("stale", layout.CACHE_STALE),
    ("revalidated", layout.CACHE_REVALIDATED),
    ("bypass", layout.CACHE_BYPASSED),
)
_CACHE_FAMILIES = (
    ("foregate_cache_memory_bytes", "gauge", "Of answers in the workers' memory.", layout.CACHE_MEMORY_BYTES),
    ("foregate_cache_memory_bytes_max", "gauge", "Their bounds.", layout.CACHE_MEMORY_BYTES_MAX),
    ("foregate_cache_memory_objects", "gauge", "Answers in the workers' memory.", layout.CACHE_MEMORY_OBJECTS),
    ("foregate_cache_memory_evicted_total", "counter", "Made room for others.", layout.CACHE_MEMORY_EVICTED),
    ("foregate_cache_not_stored_total", "counter", "Answers for which there was no room.", layout.CACHE_NOT_STORED),
    ("foregate_not_found_answered_total", "counter", "404 without asking a service.", layout.NOT_FOUND_ANSWERED),
    ("foregate_not_found_known", "gauge", "Paths that are answered so.", layout.NOT_FOUND_KNOWN),
    ("foregate_not_found_filter_paths", "gauge", "Paths in the Bloom filters.", layout.NOT_FOUND_FILTERED),
)
_CACHE_SHARED_FAMILIES = (
    ("foregate_cache_disk_bytes", "gauge", "Of answers on the disk.", layout.CACHE_DISK_BYTES),
    ("foregate_cache_disk_bytes_max", "gauge", "Its bound; 0 without a disk.", layout.CACHE_DISK_BYTES_MAX),
    ("foregate_cache_disk_objects", "gauge", "Answers on the disk.", layout.CACHE_DISK_OBJECTS),
    ("foregate_cache_disk_evicted_total", "counter", "Made room for others.", layout.CACHE_DISK_EVICTED),
    ("foregate_cache_disk_damaged_total", "counter", "Failed their checksum.", layout.CACHE_DISK_DAMAGED),
    ("foregate_cache_purges_total", "counter", "Purges by people.", layout.CACHE_PURGES),
    (
        "foregate_not_found_filter_false_positive_ratio",
        "gauge",
        "Of the fullest Bloom filter, estimated from its fill.",
        layout.NOT_FOUND_FALSE_POSITIVES,
    ),
)
LINES_MAX = 500
_CLAIM_MAX = 100  # blocks at once: with a piece's lines still about two milliseconds


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
    """The text exposition format, a piece for every `LINES_MAX` samples looked at: with thousands of routes the whole
    takes a second, in which a worker has better to do. A route that has had no request has no histogram."""
    lines: list[str] = []
    looked_at = 0
    for name, kind, text, samples in _families(snapshot, blocks):
        lines += (f"# HELP {name} {text}", f"# TYPE {name} {kind}")
        for sample in samples:
            if sample is not None:
                lines.append(_line(*sample))
            looked_at += 1
            if looked_at >= LINES_MAX:
                yield ("\n".join(lines) + "\n").encode() if lines else b""
                lines.clear()
                looked_at = 0
    yield ("\n".join(lines) + "\n").encode()


def _line(name: str, labels: str, value: float) -> str:
    return f"{name}{{{labels}}} {value:.17g}" if labels else f"{name} {value:.17g}"


def _families(snapshot: Snapshot, blocks: Blocks) -> Iterator[tuple[str, str, str, Iterable[Sample | None]]]:
    routes = _Named(blocks, _routes(snapshot))
    services = _Named(blocks, _services(snapshot))
    targets = _Named(blocks, _targets(snapshot))
    (worker,) = blocks.claim([(layout.WORKER, layout.WORKER_CELLS)])
    name = "foregate_http_requests_total"
    yield name, "counter", "Requests answered, by status class.", _requests(routes, name)
    name = "http_server_request_duration_seconds"
    yield name, "histogram", "Duration of requests.", _durations(routes, name)
    name = "foregate_limited_total"
    yield name, "counter", "Requests refused by a limit or quota.", _cell(routes, name, layout.LIMITED)
    name = "foregate_mirrored_total"
    yield name, "counter", "Answers of mirrored requests, compared.", _mirrored(routes, name)
    name = "foregate_cache_requests_total"
    yield name, "counter", "Requests of cached routes, by what the cache did.", _cached(routes, name)
    name = "foregate_cache_collapsed_total"
    collapsed = (each if each[2] else None for each in _cell(routes, name, layout.CACHE_COLLAPSED))
    yield name, "counter", "Requests that waited for the answer to another's.", collapsed
    for name, kind, text, cell in _SERVICE_FAMILIES:
        yield name, kind, text, _cell(services, name, cell)
    for name, kind, text, cell in _TARGET_FAMILIES:
        yield name, kind, text, _cell(targets, name, cell)
    yield from page.families(_Named(blocks, _models(snapshot)))
    name = "foregate_errors_total"
    yield name, "counter", "Requests and messages answered with a problem, by code.", _codes(blocks, name)
    name = "foregate_config_info"
    yield name, "gauge", "The configuration that each worker serves by.", _versions(worker, name)
    name = "foregate_blocks"
    yield name, "gauge", "Addresses and keys that are blocked.", [(name, "", max(worker.each(layout.BLOCKS)))]
    for name, kind, text, cell in _WORKER_FAMILIES:
        yield name, kind, text, [(name, "", worker.total(cell))]
    (cache,) = blocks.claim([(layout.CACHE, layout.CACHE_CELLS)])
    for name, kind, text, cell in _CACHE_FAMILIES:
        yield name, kind, text, [(name, "", cache.total(cell))]
    for name, kind, text, cell in _CACHE_SHARED_FAMILIES:
        yield name, kind, text, [(name, "", max(cache.each(cell)))]
    (websockets,) = blocks.claim([(layout.WEBSOCKETS, layout.WEBSOCKET_CELLS)])
    for name, kind, text, cell in _WEBSOCKET_FAMILIES:
        yield name, kind, text, [(name, "", websockets.total(cell))]


class _Named:
    """(labels as text, block) of everything of one sort; claimed a few at a time, when they are first come to."""

    def __init__(self, blocks: Blocks, wanted: Iterator[tuple[str, tuple[str, int]]]) -> None:
        self._blocks = blocks
        self._wanted = wanted
        self._known: list[tuple[str, Block]] = []

    def __iter__(self) -> Iterator[tuple[str, Block]]:
        yield from self._known
        while some := list(islice(self._wanted, _CLAIM_MAX)):
            found = self._blocks.claim([block for _, block in some])
            fresh = [(labels, block) for (labels, _), block in zip(some, found, strict=True)]
            self._known += fresh
            yield from fresh


def _routes(snapshot: Snapshot) -> Iterator[tuple[str, tuple[str, int]]]:
    for route in snapshot.routes:
        services = " ".join(part.service for part in route.services)
        yield _labels(service=services, route=route.name), layout.route_block(route.name)
    yield _labels(service="", route=""), layout.route_block(layout.UNMATCHED)


def _services(snapshot: Snapshot) -> Iterator[tuple[str, tuple[str, int]]]:
    for service in snapshot.services:
        yield _labels(service=service.name), layout.service_block(service.name)


def _targets(snapshot: Snapshot) -> Iterator[tuple[str, tuple[str, int]]]:
    for service in snapshot.services:
        for target in service.targets:
            labels = _labels(service=service.name, target=target.url)
            yield labels, layout.target_block(service.name, target.url)


def _models(snapshot: Snapshot) -> Iterator[tuple[str, tuple[str, int]]]:
    for labels, block in page.blocks_of(snapshot):
        yield _labels(**labels), block


def _cell(named: _Named, name: str, cell: int) -> Iterator[Sample]:
    for labels, block in named:
        yield name, labels, block.total(cell)


def _requests(routes: _Named, name: str) -> Iterator[Sample]:
    classes = [(layout.CLASSES + at, f',status_class="{each}"') for at, each in enumerate(layout.STATUS_CLASSES)]
    for labels, block in routes:
        for cell, status_class in classes:
            yield name, labels + status_class, block.total(cell)


def _mirrored(routes: _Named, name: str) -> Iterator[Sample | None]:
    for labels, block in routes:
        for result, cell in _MIRRORED:
            value = block.total(cell)
            yield (name, f'{labels},result="{result}"', value) if value else None


def _cached(routes: _Named, name: str) -> Iterator[Sample | None]:
    for labels, block in routes:
        for result, cell in _CACHED:
            value = block.total(cell)
            yield (name, f'{labels},result="{result}"', value) if value else None


def _durations(routes: _Named, name: str) -> Iterator[Sample | None]:
    bounds = [f',le="{bound:g}"' for bound in layout.DURATION_BOUNDS_S] + [',le="+Inf"']
    buckets, sums, counts = f"{name}_bucket", f"{name}_sum", f"{name}_count"
    for labels, block in routes:
        if not any(block.total(layout.CLASSES + at) for at in range(len(layout.STATUS_CLASSES))):
            yield None
            continue
        count = 0.0
        for at, bound in enumerate(bounds):
            count += block.total(layout.BUCKETS + at)
            yield buckets, labels + bound, count
        yield sums, labels, block.total(layout.DURATION_SUM)
        yield counts, labels, count


def _codes(blocks: Blocks, name: str) -> Iterator[Sample]:
    codes = sorted(ERRORS)
    for code, block in zip(codes, blocks.claim([layout.code_block(code) for code in codes]), strict=True):
        yield name, _labels(code=code), block.total(layout.REFUSED)


def _versions(worker: Block, name: str) -> Iterator[Sample]:
    for index, number in enumerate(worker.each(layout.CONFIG_VERSION)):
        version = f"{int(number):012x}" if number > 0 else ""
        yield name, _labels(worker=str(index), version=version), 1.0


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
