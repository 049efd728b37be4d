"""The Prometheus page of the intake: sums over all ingest processes, whichever is asked."""

from collections.abc import Iterator

from foregate.ports.blocks import Blocks
from foregate.telemetry.ingest import counts
from foregate.telemetry.ingest.counts import FLUSH_BOUNDS_S, FLUSHES, GAUGES, REFUSALS, REFUSED, read_counts

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_GAUGES = (
    ("foregate_ingest_waiting_items", "Items received and not yet stored.", counts.WAITING_ITEMS),
    ("foregate_ingest_held_bytes", "Bytes of bodies and of what waits to be stored.", counts.HELD_BYTES),
    ("foregate_ingest_requests", "Posts under way.", counts.REQUESTS),
)


def page(blocks: Blocks) -> bytes:
    """All of it, in Prometheus' text format."""
    return "\n".join([*_items(blocks), *_posts(blocks), *_flushes(blocks), *_gauges(blocks), ""]).encode()


def _items(blocks: Blocks) -> Iterator[str]:
    name = "foregate_ingest_items_total"
    yield f"# HELP {name} Items by kind and by what became of them at the door; received is all of them."
    yield f"# TYPE {name} counter"
    for kind, taken in read_counts(blocks).items():
        for outcome, number in taken._asdict().items():
            yield f'{name}{{kind="{kind}",outcome="{outcome}"}} {number}'


def _posts(blocks: Blocks) -> Iterator[str]:
    name = "foregate_ingest_refused_total"
    (refused,) = blocks.claim([REFUSED])
    yield f"# HELP {name} Posts that got an error, by its code."
    yield f"# TYPE {name} counter"
    for at, code in enumerate((*REFUSALS, "other")):
        yield f'{name}{{code="{code}"}} {refused.total(at):.0f}'


def _flushes(blocks: Blocks) -> Iterator[str]:
    name = "foregate_ingest_flush_seconds"
    (flushes,) = blocks.claim([FLUSHES])
    yield f"# HELP {name} How long one durable step of the bus took."
    yield f"# TYPE {name} histogram"
    total = 0.0
    for at, bound in enumerate((*FLUSH_BOUNDS_S, float("inf"))):
        total += flushes.total(at)
        yield f'{name}_bucket{{le="{"+Inf" if bound == float("inf") else f"{bound:g}"}"}} {total:.0f}'
    yield f"{name}_sum {flushes.total(len(FLUSH_BOUNDS_S) + 1):.6f}"
    yield f"{name}_count {total:.0f}"


def _gauges(blocks: Blocks) -> Iterator[str]:
    (gauges,) = blocks.claim([GAUGES])
    for name, said, cell in _GAUGES:
        yield f"# HELP {name} {said}"
        yield f"# TYPE {name} gauge"
        yield f"{name} {gauges.total(cell):.0f}"
