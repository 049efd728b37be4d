"""The Prometheus page of thousands of routes: in small steps, and without histograms of what nobody asks for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from foregate.adapters.embedded.blocks import MappedBlocks, open_blocks
from foregate.gateway import layout, metrics
from foregate.ports.blocks import Block
from foregate.wire.match import Rule
from foregate.wire.snapshot import Route, Snapshot, Weighted

ROUTES = 3_000
SNAPSHOT = Snapshot(
    "abc",
    routes=tuple(Route(f"route-{n}", Rule(path=f"/{n}"), services=(Weighted("svc"),)) for n in range(ROUTES)),
)


class Counted:
    """Blocks that remember how many were looked up, and how many cells were read, since they were last asked."""

    def __init__(self, blocks: MappedBlocks) -> None:
        self._blocks = blocks
        self.work = 0

    def claim(self, wanted: Sequence[tuple[str, int]]) -> Sequence[Block]:
        self.work += len(wanted)
        return [CountedBlock(self, block) for block in self._blocks.claim(wanted)]  # type: ignore[misc]


class CountedBlock:
    def __init__(self, owner: Counted, block: Block) -> None:
        self._owner = owner
        self._block = block

    def total(self, index: int) -> float:
        self._owner.work += 1
        return self._block.total(index)

    def each(self, index: int) -> Sequence[float]:
        return self._block.each(index)


@pytest.fixture
def blocks(tmp_path: Path) -> Iterator[MappedBlocks]:
    opened = open_blocks(tmp_path / "counters.bin", 1, 0)
    yield opened
    opened.close()


def answered(blocks: MappedBlocks, *routes: str) -> None:
    """A request of 3 ms each."""
    for block in blocks.claim([layout.route_block(route) for route in routes]):
        block.own[layout.CLASSES + 1] += 1.0
        block.own[layout.BUCKETS] += 1.0
        block.own[layout.DURATION_SUM] += 0.003


@pytest.mark.parametrize("busy", [0, ROUTES])
def test_no_step_does_more_than_a_few_hundred_things_however_many_routes_there_are(
    blocks: MappedBlocks, busy: int
) -> None:
    answered(blocks, *(f"route-{n}" for n in range(busy)))
    counted = Counted(blocks)
    steps = []
    for piece in metrics.pieces(SNAPSHOT, counted):  # type: ignore[arg-type]
        steps.append((counted.work, piece.count(b"\n")))
        counted.work = 0
    assert len(steps) > ROUTES * 6 / metrics.LINES_MAX
    assert max(work for work, _ in steps) <= 6 * metrics.LINES_MAX
    assert max(lines for _, lines in steps) <= metrics.LINES_MAX + 100


def test_a_route_without_a_request_has_counters_and_no_histogram(blocks: MappedBlocks) -> None:
    answered(blocks, "route-7")
    page = metrics.render(SNAPSHOT, blocks).decode()
    assert 'foregate_http_requests_total{service="svc",route="route-8",status_class="2xx"} 0\n' in page
    assert 'foregate_http_requests_total{service="svc",route="route-7",status_class="2xx"} 1\n' in page
    histogram = [line for line in page.splitlines() if line.startswith("http_server_request_duration_seconds")]
    assert len(histogram) == len(layout.DURATION_BOUNDS_S) + 3
    assert {line.split('route="')[1].split('"')[0] for line in histogram} == {"route-7"}
    assert histogram[-2:] == [
        'http_server_request_duration_seconds_sum{service="svc",route="route-7"} 0.0030000000000000001',
        'http_server_request_duration_seconds_count{service="svc",route="route-7"} 1',
    ]


def test_names_are_escaped(blocks: MappedBlocks) -> None:
    odd = Snapshot("abc", routes=(Route('a"b\\c', Rule(), services=(Weighted("svc"),)),))
    assert 'route="a\\"b\\\\c"' in metrics.render(odd, blocks).decode()
