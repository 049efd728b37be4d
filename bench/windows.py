"""What windows cost by how many series there are: `python -m bench.windows [--series 1000 3000 10000] [--json FILE]`.

CPU time of one process, in which nothing else runs. Traffic is random with fixed seeds: every series is asked all the
time, which is the worst case for their number. Per 10 s of traffic (a tick, in which all windows that changed are also
written once): `fold` counts the events, `settle` adds them to the windows, `drain` encodes these, `append` stores them,
`hop` gives the hopping windows to judgement. The first `--warm` panes are not measured; 90 fill the
longest hop. The collector of cycles runs as rarely as in the analyzer.
"""

import argparse
import gc
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench.telemetry import T0, events
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.roles.analyzer import GC_THRESHOLDS
from foregate.telemetry.windows import Windower
from foregate.wire.event import RequestEvent, decode_events, encode_event

PANE_S = 10
PANES = 5
AT_ONCE = 5_000
Figures = dict[str, float]


def pane_of(series: int, rate: float, seed: int) -> list[RequestEvent]:
    """Ten seconds of traffic at `rate` events/s, each event of a series at random, with keys and clients."""
    chance = random.Random(seed)
    plain = events(int(rate * PANE_S), 7, float(PANE_S))
    numbers = [n % series for n in range(len(plain))]
    chance.shuffle(numbers)
    return [
        msgspec.structs.replace(
            one,
            route=f"/r/{n}",
            service=f"s{n % 50}",
            key_id=f"k{chance.randrange(40)}",
            client=f"c{chance.randrange(900)}",
        )
        for one, n in zip(plain, numbers, strict=True)
    ]


def moved(pane: list[RequestEvent], number: int) -> list[RequestEvent]:
    return [msgspec.structs.replace(one, time_s=one.time_s + PANE_S * number) for one in pane]


class Spent:
    """CPU milliseconds by name, of each time."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = {}

    def on(self, name: str, work: Callable[[], object]) -> None:
        begin = time.process_time()
        work()
        self.ms.setdefault(name, []).append((time.process_time() - begin) * 1e3)

    def medians(self) -> Figures:
        return {name: sorted(each)[len(each) // 2] for name, each in self.ms.items()}


def live(series: int, rate: float, folder: Path, warm: int) -> Figures:
    """One analyzer's windows in steady state."""
    store, windower, spent = EmbeddedSeries(folder / f"series-{series}-{rate}.sqlite"), Windower(), Spent()
    some = [pane_of(series, rate, seed) for seed in range(3)]
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    before = resident_mb()
    for number in range(warm + PANES):
        pane, end_s = moved(some[number % 3], number), T0 + PANE_S * (number + 1)
        each = spent if number >= warm else Spent()

        def fold(pane: list[RequestEvent] = pane, end_s: float = end_s) -> None:
            for at in range(0, len(pane), AT_ONCE):
                windower.add(pane[at : at + AT_ONCE], end_s)

        each.on("fold_ms", fold)
        each.on("settle_ms", windower.unknown)
        drained = []
        each.on("drain_ms", lambda drained=drained: drained.extend(windower.drain_dirty()))  # type: ignore[misc]
        each.on("append_ms", lambda drained=drained: store.append(drained, {}, {}))  # type: ignore[misc]
        each.on("hop_ms", lambda end_s=end_s: windower.ticks(end_s))  # type: ignore[misc]
        windower.closed_minutes(end_s - 5)
    figures = spent.medians()
    figures |= {"tick_ms": sum(figures.values()), "windows_written": float(len(drained))}
    figures["memory_mb"] = resident_mb() - before
    figures["fold_us_per_event"] = figures["fold_ms"] * 1e3 / len(some[0])
    figures["tick_us_per_event"] = figures["tick_ms"] * 1e3 / len(some[0])
    store.close()
    gc.unfreeze()
    figures |= row_bytes(folder / f"series-{series}-{rate}.sqlite")
    return {f"{series}_series_at_{rate:.0f}/s_{name}": figure for name, figure in figures.items()}


def row_bytes(path: Path) -> Figures:
    """Of the file, per row; all spans together."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    rows = connection.execute("SELECT count(*) FROM windows").fetchone()[0]
    facets = connection.execute("SELECT avg(length(facets)) FROM details WHERE span_s >= 60").fetchone()[0]
    connection.close()
    return {"bytes_per_window": path.stat().st_size / rows, "facets_bytes_per_window": facets}


def decoding() -> Figures:
    sample = pane_of(1_000, 2_000.0, 1)
    body = b"\xdd" + len(sample).to_bytes(4, "big") + b"".join(map(encode_event, sample))
    begin = time.process_time()
    for _ in range(5):
        decode_events(body)
    return {"decode_us_per_event": (time.process_time() - begin) / 5 / len(sample) * 1e6}


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096 / 1e6


def told(figures: Figures) -> Figures:
    for label, figure in figures.items():
        sys.stdout.write(f"{label:<60} {figure:>14,.2f}\n")
    sys.stdout.flush()
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--series", type=int, nargs="+", default=[1_000, 3_000, 10_000])
    options.add_argument("--rates", type=float, nargs="+", default=[1_000.0, 10_000.0], help="events per second")
    options.add_argument("--warm", type=int, default=90, help="panes before anything is measured")
    options.add_argument("--json", type=Path, help="write the figures here too")
    chosen = options.parse_args(argv)
    figures = told(decoding())
    with tempfile.TemporaryDirectory() as name:
        for series in chosen.series:
            for rate in chosen.rates:
                figures |= told(live(series, rate, Path(name), chosen.warm))
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
