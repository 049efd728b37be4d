"""What telemetry costs, as CPU time of this process: `python -m bench.telemetry [--json FILE]`.

Every figure is the best of several rounds, because the machine has other things to do. Data is random with fixed seeds;
files lie in a temporary folder (`--folder` for another disk).
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.courier import Courier
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.adapters.embedded.spool import Spool
from foregate.kernel.clock import ManualClock
from foregate.ports.blocks import Cells
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.windows import Windower
from foregate.wire.event import RequestEvent, decode_events, encode_event

T0 = 1_700_000_100.0
ROUNDS = 5
Figures = dict[str, float]


def events(count: int, entities: int, seconds: float, start_s: float = T0) -> list[RequestEvent]:
    """Random events, `seconds` of them in order of time, decoded as the analyzer gets them."""
    chance = random.Random(count + entities)
    made = [_event(chance, start_s + n * seconds / count, chance.randrange(entities)) for n in range(count)]
    return decode_events(b"\xdd" + count.to_bytes(4, "big") + b"".join(encode_event(one) for one in made))


def _event(chance: random.Random, time_s: float, entity: int) -> RequestEvent:
    latency_ms = chance.lognormvariate(3.0, 0.7)
    return RequestEvent(
        time_s=time_s,
        org="default",
        service=f"service{entity % 7}",
        route=f"/route/{entity}",
        method="GET",
        status=200 if chance.random() < 0.97 else 503,
        latency_ms=latency_ms,
        upstream_ms=latency_ms * 0.9,
        request_bytes=100,
        response_bytes=2_000,
        key_id="key_demo",
        environment="production",
        request_id=f"{chance.getrandbits(128):032x}",
        trace_id=f"{chance.getrandbits(128):032x}",
        span_id=f"{chance.getrandbits(64):016x}",
        attempts=1,
        limit="allowed",
        breaker="closed",
        cache="none",
        error="",
        target="http://127.0.0.1:9000",
        inflight=chance.randrange(1, 20),
        first_byte_ms=latency_ms,
    )


def best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """CPU seconds of the fastest round."""
    fastest = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        work()
        fastest = min(fastest, time.process_time() - begin)
    return fastest


def spool_and_bus(folder: Path) -> Figures:
    """One event into the spool; its way from there to the bus."""
    count = 20_000
    sample = events(count, 100, 20.0)
    bus = EmbeddedBus(folder / "bus.sqlite", ManualClock())
    spool = Spool(folder / "spool" / "w0")
    courier = Courier(folder / "spool")
    put_s, flush_s = float("inf"), float("inf")
    for _ in range(ROUNDS):
        put_s = min(put_s, best(lambda: [spool.put(one) for one in sample], 1))
        flush_s = min(flush_s, best(lambda: courier.move(bus), 1))
    shed = spool.shed
    spool.close()
    courier.close()
    if shed:
        raise SystemExit("the spool shed events: the figures would be of something else")
    body = b"\xdd\x00\x00\x01\xf4" + b"".join(encode_event(one) for one in sample[:500])
    begin = time.perf_counter()
    for sequence in range(200):
        bus.append("bench", 0, body, 500, producer="bench", sequence=sequence)
    append_s = (time.perf_counter() - begin) / 200
    bus.close()
    return {
        "event_bytes": len(encode_event(sample[0])),
        "spool_put_us": put_s / count * 1e6,
        "of_which_encode_us": best(lambda: [encode_event(one) for one in sample]) / count * 1e6,
        "courier_us_per_event": flush_s / count * 1e6,
        "bus_append_500_events_wall_ms": append_s * 1e3,
    }


def shared_numbers(folder: Path) -> Figures:
    """A worker's own cell, and a sum over four workers."""
    store = open_blocks(folder / "counters.bin", 4, 1)
    (block,) = store.claim([("bench", 64)])
    turns = range(100_000)
    figures = {
        "cell_add_ns": best(lambda: _add(block.own)) * 1e4,
        "cell_total_of_4_workers_ns": best(lambda: [block.total(7) for _ in turns]) * 1e4,
    }
    store.close()
    return figures


def _add(cells: Cells) -> None:
    for _ in range(100_000):
        cells[7] += 1.0


def windower() -> Figures:
    """Events into all spans, and what changed out again once per second of traffic."""
    figures: Figures = {}
    for entities in (10, 1_000):
        sample = events(60_000, entities, 60.0)
        fresh = [Windower(keep_dirty=False) for _ in range(ROUNDS)]

        def add(fresh: list[Windower] = fresh, sample: list[RequestEvent] = sample) -> None:
            windows = fresh.pop()
            for at in range(0, len(sample), 10_000):
                windows.add(sample[at : at + 10_000], T0 + 60)
            windows.closed_minutes(0.0)  # none, but all spans have taken the events then

        figures[f"windower_add_all_spans_{entities}_entities_events_per_s"] = len(sample) / best(add)
        drained = 0

        def drain(sample: list[RequestEvent] = sample) -> None:
            nonlocal drained
            windows, drained = Windower(), 0
            for at in range(0, len(sample), 1_000):
                windows.add(sample[at : at + 1_000], T0 + 60)
                drained += len(windows.drain_dirty())

        seconds = best(drain, 2)
        figures[f"windower_drain_{entities}_entities_us_per_window"] = seconds / drained * 1e6
    return figures


def ticks() -> Figures:
    """A tick of 1,000 entities with fifteen full minutes behind them."""
    windows = Windower(keep_dirty=False)
    spent = []
    plain = events(3_000, 1_000, 9.9)
    every = [msgspec.structs.replace(one, service="s", route=f"/{n % 1_000}") for n, one in enumerate(plain)]
    for pane in range(120):
        now_s = T0 + 10 * (pane + 1)
        sample = [msgspec.structs.replace(one, time_s=one.time_s + 10 * pane) for one in every]
        windows.add(sample, now_s)
        windows.closed_minutes(now_s)
        begin = time.process_time()
        found = windows.ticks(now_s)
        spent.append(time.process_time() - begin)
        if len(found) != 1_000:
            raise SystemExit(f"{len(found)} ticks instead of 1,000")
    return {"tick_1000_entities_ms_median": sorted(spent[90:])[15] * 1e3}


def consumer(folder: Path) -> Figures:
    """From the bus to stored windows, 100 entities, batches of 500 events from each of four workers a second."""
    bus, series = EmbeddedBus(folder / "events.sqlite", ManualClock()), EmbeddedSeries(folder / "series.sqlite")
    seconds = 30
    for second in range(seconds):
        for partition in range(4):
            sample = events(500, 100, 1.0, T0 + second)
            body = b"\xdd" + len(sample).to_bytes(4, "big") + b"".join(msgspec.msgpack.encode(one) for one in sample)
            bus.append("events", partition, body, len(sample), producer=f"w{partition}", sequence=second)
    reader = Consumer(bus, series, series, Windower(), ManualClock(T0 + seconds))
    items, begin = 0, time.process_time()
    while new := reader.step():
        items += new
    spent = time.process_time() - begin
    bus.close()
    series.close()
    return {"consumer_catching_up_events_per_s": items / spent}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", type=Path, help="write the figures here too")
    options.add_argument("--folder", help="where to put the files (default: the system's temporary folder)")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        figures = spool_and_bus(folder) | shared_numbers(folder) | windower() | ticks() | consumer(folder)
    for label, figure in figures.items():
        sys.stdout.write(f"{label:<60} {figure:>14,.2f}\n")
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
