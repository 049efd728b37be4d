"""Months of traffic in minutes: `python -m bench.archive_load archive|windows FOLDER EVENTS DAYS UNTIL_S`.

Both make the same events (seeded): one puts them into the archive as the keeper does, the other folds them into windows
as the analyzer does, from the oldest to the newest. Prints its figures as JSON.
"""

import json
import math
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from foregate.adapters.embedded.archive.manifest import Manifest
from foregate.adapters.embedded.archive.writer import EmbeddedArchive
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.kernel.clock import ManualClock
from foregate.telemetry.retention import Retention
from foregate.telemetry.rollup import merge_windows
from foregate.telemetry.tally import Window
from foregate.telemetry.windows.columns import Columns, Encoder, EntityKey
from foregate.telemetry.windows.fold import fold
from foregate.wire import TOPIC_EVENTS
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent
from foregate.wire.window import SPANS_S, StoredWindow

STEP_S = 900
ROUTES = 48
BATCH_ITEMS = 30_000  # of an append, as the keeper's buffer
_STATUSES = (200, 201, 204, 304, 400, 401, 404, 429, 500, 503)
_SHARES = (0.8, 0.05, 0.03, 0.03, 0.02, 0.01, 0.03, 0.01, 0.012, 0.008)


def chunks(events: int, days: int, until_s: float) -> Iterator[tuple[float, list[RequestEvent]]]:
    """The events of each quarter of an hour, by time: more by day than by night, more on some routes than on others."""
    rng = np.random.default_rng(events)
    steps = days * 86_400 // STEP_S
    first_s = (until_s // STEP_S - steps) * STEP_S
    shape = np.array([1.0 + 0.7 * math.sin(2 * math.pi * (first_s + at * STEP_S) / 86_400) for at in range(steps)])
    counts = rng.multinomial(events, shape / shape.sum())
    popularity = 1.0 / np.arange(1, ROUTES + 1) ** 0.8
    popularity /= popularity.sum()
    for at, count in enumerate(counts.tolist()):
        start_s = first_s + at * STEP_S
        yield start_s, _events(rng, count, start_s, popularity)


def _events(rng: np.random.Generator, count: int, start_s: float, popularity: "np.ndarray") -> list[RequestEvent]:
    route = rng.choice(ROUTES, count, p=popularity)
    status = rng.choice(_STATUSES, count, p=_SHARES)
    latency = np.round(rng.lognormal(2.5 + route % 7 / 4, 0.7), 3)
    client = rng.zipf(1.3, count) % 50_000
    key = rng.zipf(1.5, count) % 500
    ids = rng.bytes(40 * count).hex()
    columns: dict[str, list[Any]] = {
        "time_s": np.sort(start_s + rng.random(count) * STEP_S).tolist(),
        "org": ["default"] * count,
        "service": [f"service-{at % 6}" for at in route.tolist()],
        "route": [f"/api/v1/resource-{at}/{{id}}" for at in route.tolist()],
        "method": np.array(["GET", "POST"], object)[(route % 4 == 0).astype(int)].tolist(),
        "status": status.tolist(),
        "latency_ms": latency.tolist(),
        "upstream_ms": np.round(latency * 0.9, 3).tolist(),
        "request_bytes": (rng.integers(0, 40, count) * 16).tolist(),
        "response_bytes": rng.integers(200, 20_000, count).tolist(),
        "key_id": [f"key-{at}" for at in key.tolist()],
        "environment": ["production"] * count,
        "request_id": [ids[at : at + 32] for at in range(0, 80 * count, 80)],
        "trace_id": [ids[at + 32 : at + 64] for at in range(0, 80 * count, 80)],
        "span_id": [ids[at + 64 : at + 80] for at in range(0, 80 * count, 80)],
        "attempts": rng.choice((1, 1, 1, 1, 1, 1, 1, 2), count).tolist(),
        "limit": ["refused" if at == 429 else "allowed" for at in status.tolist()],
        "breaker": ["closed"] * count,
        "cache": ["none"] * count,
        "error": ["upstream_timeout" if at == 503 else "" for at in status.tolist()],
        "target": [f"http://10.0.0.{at % 8}:8080" for at in route.tolist()],
        "inflight": rng.integers(1, 20, count).tolist(),
        "first_byte_ms": np.round(latency * 0.95, 3).tolist(),
        "policies": ["api_key:passed rate_limits:allowed"] * count,
        "client": [f"198.51.{at >> 8}.{at & 255}" for at in client.tolist()],
        "path": [f"/api/v1/resource-{at}/{n}" for at, n in zip(route.tolist(), client.tolist(), strict=True)],
    }
    made = list(map(RequestEvent, *columns.values()))
    if count:
        assert made[0].path == columns["path"][0]  # the fields stand in this order
    return made


def load_archive(folder: Path, events: int, days: int, until_s: float) -> dict[str, float]:
    """As the keeper: buffers of some ten thousand, merged in between."""
    clock = ManualClock(until_s)
    archive = EmbeddedArchive(folder / "archive", clock)
    made_s = append_s = compact_s = 0.0
    buffer: list[RequestEvent] = []
    begin = mark = time.process_time()

    def spend() -> float:
        nonlocal mark
        before, mark = mark, time.process_time()
        return mark - before

    for start_s, chunk in chunks(events, days, until_s):
        buffer += chunk
        made_s += spend()
        if len(buffer) >= BATCH_ITEMS or start_s + STEP_S >= until_s - STEP_S:
            archive.append("events", buffer, TOPIC_EVENTS, {}, {})
            buffer = []
            append_s += spend()
            clock.jump_to(start_s + STEP_S)
            while archive.compact():
                pass
            compact_s += spend()
    archive.append("events", buffer, TOPIC_EVENTS, {}, {})
    clock.jump_to(until_s)
    while archive.compact():
        pass
    compact_s += spend()
    archive.close()
    manifest = Manifest(folder / "archive", read_only=True)
    items, size, segments = manifest.items("events"), manifest.bytes_used, len(manifest.segments())
    manifest.close()
    return {
        "events": items,
        "bytes_per_event": size / items,
        "segments": segments,
        "append_events_per_cpu_s": items / append_s,
        "compact_cpu_us_per_event": compact_s / items * 1e6,
        "load_events_per_s": items / (time.process_time() - begin - made_s),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
    }


def load_windows(folder: Path, events: int, days: int, until_s: float) -> dict[str, float]:
    """What the analyzer would have stored, folded by its own code, but once per quarter of an hour and not per second.

    Windows that would have expired by now are not made at all: minutes only of the last week, panes of 10 s none.
    """
    series, encoder, retention = EmbeddedSeries(folder / "series.sqlite"), Encoder(), Retention(days)
    minutes_from_s = until_s - retention.kept_s(60, "default")
    spent_s = 0.0
    written = 0
    for at, (start_s, chunk) in enumerate(chunks(events, days, until_s)):
        begin = time.process_time()
        windows = _folded(encoder.columns(chunk), 60 if start_s >= minutes_from_s else 300)
        series.append(windows, {}, {"accepted": len(chunk)})
        written += len(windows)
        if at % 96 == 95:
            _roll_up(series)
        spent_s += time.process_time() - begin
    begin = time.process_time()
    _roll_up(series)
    spent_s += time.process_time() - begin
    series.close()
    return {
        "windows_written": written,
        "windows_bytes_per_event": os.path.getsize(folder / "series.sqlite") / events,
        "fold_events_per_cpu_s": events / spent_s,
    }


def _folded(columns: Columns, grain_s: int) -> list[StoredWindow]:
    """All windows of a quarter of an hour from `grain_s` on. An event of the middle of a window counts as of its
    beginning, which changes no window."""
    folded = fold(columns._replace(time_s=columns.time_s // grain_s * grain_s))
    made: dict[tuple[EntityKey, int, int], Window] = {}

    def window(entity: EntityKey, span_s: int, start_s: int) -> Window:
        key = (entity, span_s, start_s // span_s * span_s)
        return made.setdefault(key, Window(key[2], span_s))

    spans_s = [span_s for span_s in SPANS_S if span_s >= grain_s]
    for gain in folded.panes:
        for span_s in spans_s:
            window(gain.entity, span_s, gain.start_s).merge(gain.tally)
    for more in folded.minutes:
        for span_s in spans_s:
            window(more.entity, span_s, more.start_s).merge_facets(more.facets)
    return [StoredWindow(Entity(*entity), one.stats(), *one.encoded) for (entity, _, _), one in made.items()]


def _roll_up(series: EmbeddedSeries) -> None:
    while series.roll_up(merge_windows, 5_000):
        pass


if __name__ == "__main__":
    what, name, count, over_days, end_s = sys.argv[1:]
    load = {"archive": load_archive, "windows": load_windows}[what]
    sys.stdout.write(json.dumps(load(Path(name), int(count), int(over_days), float(end_s))))
