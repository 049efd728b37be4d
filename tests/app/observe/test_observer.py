"""Every item of telemetry is found again in exactly one sum, and the page of numbers is one that Prometheus reads."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec
import structlog
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs
from tests.telemetry.making import event

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.observe.alarms import AccountsWatch
from foregate.app.observe.observer import accounts, families
from foregate.app.observe.open import open_observed
from foregate.app.observe.page import render
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime
from foregate.gateway import layout
from foregate.kernel.clock import ManualClock, SystemClock
from foregate.ports.bus import Bus
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.ingest import INTAKE_ROWS, Counts
from foregate.telemetry.windows import Windower
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY, TOPIC_LOGS
from foregate.wire.accounts import Account
from foregate.wire.log import LogRecord

NOW_S = 1_795_255_200.0
RUNTIME = Runtime("127.0.0.1", 8090, "http://127.0.0.1:8080", 2, 0.8, ingest_workers=1)


def put(data: DataDir, topic: str, items: list[object], name: str) -> None:
    with closing(EmbeddedBus(data.bus, SystemClock())) as bus:
        bus.append(topic, 0, msgspec.msgpack.encode(items), len(items), producer=name, sequence=0)


def read_windows(data: DataDir) -> None:
    clock = ManualClock(NOW_S)
    with closing(EmbeddedBus(data.bus, clock)) as bus, closing(EmbeddedSeries(data.series)) as series:
        consumer = Consumer(bus, series, series, Windower(), clock)
        while consumer.step():
            pass


def filled(tmp_path: Path) -> DataDir:
    """8 good events, 1 late, 1 invalid, 2 that wait; 3 turned away at the door, 4 at a gateway; 5 logs that wait."""
    data = DataDir(tmp_path / "data")
    data.create()
    good = [event(time_s=NOW_S - 1, request_id=f"{number}") for number in range(8)]
    put(data, TOPIC_EVENTS, [*good, event(time_s=NOW_S - 5_000), event(time_s=NOW_S, latency_ms=-7e9)], "a")
    read_windows(data)
    put(data, TOPIC_HISTORY, [event(time_s=NOW_S - 90_000)] * 2, "b")
    put(data, TOPIC_LOGS, [LogRecord("acme", "test", "shop", 1, 9, "hello")] * 5, "c")
    with closing(open_blocks(data.ingest_counts, INTAKE_ROWS, 0)) as blocks:
        counts = Counts(blocks)
        counts.stored("events", 12)
        counts.duplicate("events", 1)
        counts.invalid("events", 1)
        counts.shed("events", 1)
        counts.flushed(0.004)
    with closing(open_blocks(data.counters, 2, 1)) as blocks:
        (worker,) = blocks.claim([(layout.WORKER, layout.WORKER_CELLS)])
        worker.own[layout.EVENTS_SHED] += 4
    return data


def test_every_item_is_in_exactly_one_sum(tmp_path: Path) -> None:
    observed = open_observed(filled(tmp_path), RUNTIME, SystemClock())
    events, spans, logs, points = accounts(observed)
    assert events == Account(
        "events", received=19, accepted=8, duplicate=1, invalid=2, shed=5, late=1, lost=0, waiting=2
    )
    assert events.missing == 0
    assert (logs.received, logs.waiting, logs.missing) == (5, 5, 0)
    assert (spans.received, points.received) == (0, 0)


def test_the_sums_agree_while_items_come_and_are_taken(tmp_path: Path) -> None:
    data = filled(tmp_path)
    observed = open_observed(data, RUNTIME, SystemClock())
    left = iter(range(6))

    class Busy:
        """Something happens whenever the bus is asked for a number, until it is calm."""

        partitions = observed.bus.partitions

        def __getattr__(self, name: str) -> object:
            if name in ("lag", "appended", "last_offset") and (number := next(left, None)) is not None:
                put(data, TOPIC_EVENTS, [event(time_s=NOW_S - 1)] * 3, f"more {number}")
                if number % 2:
                    read_windows(data)
            return getattr(observed.bus, name)

    events = accounts(replace(observed, bus=cast("Bus", Busy())))[0]
    assert (events.received, events.missing) == (19 + 18, 0)


def test_the_page_is_read_by_prometheus(tmp_path: Path) -> None:
    observed = open_observed(filled(tmp_path), RUNTIME, SystemClock())
    page = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(render(families(observed)))
        for sample in family.samples
    }
    assert page["foregate_telemetry_items_total", ("kind", "events"), ("outcome", "shed")] == 5
    assert page["foregate_telemetry_missing_items", ("kind", "events")] == 0
    assert page["foregate_bus_lag_items", ("reader", "windows"), ("topic", "history")] == 2
    assert page["foregate_ingest_flush_seconds_bucket", ("le", "0.005")] == 1
    assert page["foregate_ingest_flush_seconds_count",] == 1
    assert page["foregate_store_bytes", ("store", "bus")] > 0


def test_what_is_lost_turned_away_or_missing_for_a_minute_is_said_once() -> None:
    clock = ManualClock(NOW_S)
    now = Account("events", received=10, accepted=10)

    def look() -> list[str]:
        clock.advance(11.0)
        with capture_logs() as logs:
            watch.step()
        return [line["event"] for line in logs]

    watch = AccountsWatch(lambda: [now], clock, structlog.get_logger())
    assert look() == []
    now = Account("events", received=13, accepted=10, lost=2, shed=1)
    assert look() == ["telemetry_lost", "telemetry_shed"]
    assert look() == []
    now = Account("events", received=14, accepted=10, lost=2, shed=1)
    said = [look() for _ in range(10)]
    assert [each for each in said if each] == [["telemetry_not_accounted_for"]]
    assert said[0] == []  # it may be on its way for a moment
