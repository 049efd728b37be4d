"""Journeys and logs on one core: `python -m bench.journeys [--traces N] [--logs N] [--folder DIR] [--json FILE]`.

Spans go from the bus through join, sampler and store, as CPU time of this process; a trace has eight of them, of four
services. Searches are over one organisation's records, wall time, each asked 20 times. Data is random with fixed seeds.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.journeys import EmbeddedJourneys
from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.kernel.clock import ManualClock
from foregate.ports.logs import LogAsk
from foregate.telemetry.journeys import Collector, Query
from foregate.telemetry.journeys.service_map import merged_latency
from foregate.wire import TOPIC_SPANS
from foregate.wire.journey import JourneyAsk
from foregate.wire.log import LogRecord
from foregate.wire.span import Span, SpanKind, encode_spans
from foregate.wire.survey import Journeys

T0_S = 1_700_000_100
MS = 1_000_000
SERVICES = ("gateway", "shop", "stock", "prices")
TRACES_PER_S = 2_500  # of the time that the bench makes pass
BATCH_SPANS = 500
ROUNDS = 20
Figures = dict[str, float]


def trace(chance: random.Random, start_ns: int) -> list[Span]:
    """Eight spans: each service is asked by the one before, and does something of its own."""
    trace_id = f"{chance.getrandbits(128):032x}"
    failed = chance.random() < 0.01
    made: list[Span] = []
    parent = ""
    took_ns = int(chance.lognormvariate(3.5, 0.5) * MS)
    for depth, service in enumerate(SERVICES):
        for kind in _KINDS[depth]:
            span_id = f"{chance.getrandbits(64):016x}"
            start_ns, took_ns = start_ns + MS // 4, took_ns - MS // 2
            made.append(
                Span(
                    "default", "production", service, trace_id, span_id, parent, f"GET {service}", kind,
                    start_ns, start_ns + max(took_ns, MS), "error" if failed else "unset", route=f"/{service}/{{id}}",
                    method="GET", http_status=503 if failed else 200, instance=f"{service}-{chance.randrange(3)}",
                    attributes={"url.path": f"/{service}/{chance.randrange(10_000)}", "thread.name": "worker-3"},
                )
            )  # fmt: skip
            parent = span_id
    return made


_KINDS: tuple[tuple[SpanKind, ...], ...] = (("server", "client"), ("server", "client"), ("server", "client"),
                                            ("server", "internal"))  # fmt: skip


def journeys(folder: Path, traces: int) -> Figures:
    """From the bus into the store, with time passing as fast as the work is done."""
    chance, clock = random.Random(1), ManualClock(T0_S)
    bus = EmbeddedBus(folder / "bus.sqlite", clock)
    store = EmbeddedJourneys(folder / "journeys.sqlite", merged_latency)
    collector = Collector(bus, store, Journeys(), clock)
    spans = [span for at in range(traces) for span in trace(chance, T0_S * 10**9 + at * 10**9 // TRACES_PER_S)]
    sent = spent_s = 0.0
    open_most = 0
    for at in range(0, len(spans), 16 * BATCH_SPANS):
        for number in range(at, min(at + 16 * BATCH_SPANS, len(spans)), BATCH_SPANS):
            batch = spans[number : number + BATCH_SPANS]
            bus.append(TOPIC_SPANS, 0, encode_spans(batch), len(batch), producer="bench", sequence=number)
            sent += len(batch)
        clock.advance(16 * BATCH_SPANS / 8 / TRACES_PER_S)
        spent_s += _cpu(collector.step)
        open_most = max(open_most, collector.open_traces)
    clock.advance(60)
    spent_s += _cpu(collector.step)
    counts, query = store.counts(), Query(store)
    kept = store.search(JourneyAsk("default", 0, 9e9), 100).found
    figures = {
        "spans": sent,
        "spans_per_cpu_s": sent / spent_s,
        "traces_kept_share": counts["kept_traces"] / traces,
        "bytes_per_kept_span": store.bytes_used / counts["kept_spans"],
        "open_traces_most": open_most,
        "one_journey_ms": _median_ms(lambda: query.journey("default", kept[0].trace_id)),
        "newest_50_journeys_ms": _median_ms(lambda: query.search(JourneyAsk("default", 0, 9e9), 50)),
        "failed_journeys_of_a_service_ms": _median_ms(
            lambda: query.search(JourneyAsk("default", 0, 9e9, service="prices", failed=True), 50)
        ),
        "service_map_ms": _median_ms(lambda: query.service_map("default", 0, 9e9)),
    }
    bus.close()
    store.close()
    return figures


def logs(folder: Path, count: int) -> Figures:
    """Records in batches of 5,000, and searches over all of them."""
    chance = random.Random(2)
    words = [f"{chance.getrandbits(32):x}" for _ in range(5_000)]
    store = EmbeddedLogs(folder / "logs.sqlite", ManualClock(T0_S))
    spent_s = 0.0
    for at in range(0, count, 5_000):
        batch = [_record(chance, words, at + number) for number in range(5_000)]
        spent_s += _cpu(lambda batch=batch, at=at: store.take(batch, "logs", {0: at}, {}))  # type: ignore[misc]
    figures = {"logs": float(count), "logs_per_cpu_s": count / spent_s, "bytes_per_log": store.bytes_used / count}
    for name, ask in {
        "one_word": _ask(words[17]),
        "a_word_of_every_record": _ask("order"),
        "two_words": _ask(f"{words[17]} {words[18]}"),
        "a_phrase": _ask(f'"order {words[17]}"'),
        "a_beginning": _ask(f"{words[17][:3]}*"),
        "a_word_that_is_not_there": _ask("absent"),
        "a_word_of_errors_of_a_service": LogAsk("default", 0, 9e9, words[17], "service3", severity_min=17),
        "one_trace": LogAsk("default", 0, 9e9, trace_id=batch[-1].trace_id),
        "one_trace_the_oldest": LogAsk("default", 0, 9e9, trace_id=f"{1:032x}"),
        "the_newest": _ask(""),
    }.items():
        figures[f"search_{name}_ms"] = _median_ms(lambda ask=ask: store.search(ask, 50))  # type: ignore[misc]
    store.close()
    return figures


def _record(chance: random.Random, words: list[str], number: int) -> LogRecord:
    said = " ".join(chance.choices(words, k=8))
    return LogRecord(
        "default", "production", f"service{chance.randrange(20)}", T0_S * 10**9 + number * MS,
        chance.choice((5, 9, 9, 9, 13, 17)), f"order {said} took {chance.randrange(1_000)} ms",
        f"{number + 1:032x}", request_id=f"{chance.getrandbits(128):032x}",
        attributes={"http.route": "/users/{id}", "thread.name": "worker-3"},
    )  # fmt: skip


def _ask(words: str) -> LogAsk:
    return LogAsk("default", 0, 9e9, words)


def _cpu(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _median_ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        took.append(time.perf_counter() - begin)
    return statistics.median(took) * 1e3


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--logs", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = journeys(Path(folder), options.traces) | logs(Path(folder), options.logs)
    for name, value in figures.items():
        print(f"{name:42} {value:14,.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
