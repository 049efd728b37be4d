"""Many small segments become few large ones, as in a log-structured merge tree: each item is written a few times only.

Segments of one (kind, org, day) with about as many items are merged, eight at a time; of a day that is over also fewer,
so that little is left of small ones. The merge holds some thousand rows of each of them, whatever they are in all.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from foregate.adapters.embedded.archive.manifest import Segment
from foregate.adapters.embedded.archive.segments import DAY_S, SegmentFile, in_order
from foregate.adapters.embedded.archive.tables import as_now
from foregate.adapters.sql.columns import TIMES
from foregate.wire.accounts import Kind

ITEMS_MAX = 2_000_000  # of a merged segment: some seconds of work, which is how long a stop may have to wait
BYTES_MAX = 268_435_456
_FULL = 0.5  # of these bounds: a segment so large is left alone
_FAN_IN = 8
_FAN_IN_MAX = 8  # files read at once: each costs some 15 MB while it is
_OVER_S = 3_600.0  # after the end of its day
_SMALL_ITEMS = 50_000  # of a day that is over, two that are smaller are merged already
_FAN_IN_OVER = 4
HELD_ITEMS = 8_192  # of all segments at a time


def choose(segments: Sequence[Segment], now_s: float) -> list[Segment]:
    """Which to merge now, the newest days first: there the questions are. [] when all is tidy."""
    tiers: dict[tuple[int, str, str, int], list[Segment]] = defaultdict(list)
    for each in segments:
        if each.items < _FULL * ITEMS_MAX and each.bytes < _FULL * BYTES_MAX:
            tiers[-each.day, each.kind, each.org, _tier(each.items)].append(each)
    for (day, *_, tier), found in sorted(tiers.items()):
        over = now_s > (1 - day) * DAY_S + _OVER_S
        fan_in = (2 if 8**tier * 1_000 < _SMALL_ITEMS else _FAN_IN_OVER) if over else _FAN_IN
        chosen = _within_bounds(sorted(found, key=lambda each: each.first_s)[:_FAN_IN_MAX])
        if len(found) >= fan_in and len(chosen) > 1:
            return chosen
    return []


def _tier(items: int) -> int:
    return int(math.log(max(items, 1_000) / 1_000, 8) + 1e-9)


def _within_bounds(segments: Sequence[Segment]) -> list[Segment]:
    """The first of them, as many as one segment may take."""
    chosen: list[Segment] = []
    items = size = 0
    for each in segments:
        items, size = items + each.items, size + each.bytes
        if items > ITEMS_MAX or size > BYTES_MAX:
            break
        chosen.append(each)
    return chosen


def merge(root: Path, segments: Sequence[Segment]) -> Segment:
    """One segment with the items of all, by time. They are of one kind, org and day. Raises OSError."""
    first, held = segments[0], HELD_ITEMS // len(segments)
    with SegmentFile(root, first.kind, first.org, first.day) as file:
        for table in merged(first.kind, [batches(root / each.file, first.kind, held) for each in segments]):
            file.write(table)
    return file.segment


def merged(kind: Kind, sources: Sequence[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """The rows of all sources in order of time, each source being so itself."""
    heads = [(source, table) for source in sources if (table := next(source, None)) is not None]
    while heads:
        until = min(table.column(TIMES[kind])[-1].as_py() for _, table in heads)
        ready: list[pa.Table] = []
        after: list[tuple[Iterator[pa.Table], pa.Table]] = []
        for source, table in heads:
            end = int(np.searchsorted(table.column(TIMES[kind]).to_numpy(), until, side="right"))
            ready.append(table.slice(0, end))
            left = table.slice(end) if end < table.num_rows else next(source, None)
            if left is not None:
                after.append((source, left))
        heads = after
        yield in_order(kind, pa.concat_tables(ready))


def batches(path: Path, kind: Kind, items_max: int) -> Iterator[pa.Table]:
    """A segment's rows, so many at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=items_max):
            if batch.num_rows:
                yield as_now(kind, pa.Table.from_batches([batch]))
