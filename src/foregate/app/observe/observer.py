"""What foregate says of itself: accounts, lag, queues, flushes, stores, processes. Reads; changes nothing."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from foregate.adapters.embedded.blocks import open_blocks
from foregate.app.bus_readers import BusReader, lags
from foregate.app.observe.page import Family, Sample, counter, gauge, histogram
from foregate.app.paths import DataDir
from foregate.gateway import layout
from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.telemetry.accounts import Intake, OnBus, account
from foregate.telemetry.ingest import INTAKE_ROWS, Taken, read_counts
from foregate.telemetry.ingest.counts import FLUSH_BOUNDS_S, FLUSHES, GAUGES, HELD_BYTES, REQUESTS, WAITING_ITEMS
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY, TOPIC_LOGS, TOPIC_POINTS, TOPIC_SPANS
from foregate.wire.accounts import KINDS, OUTCOMES, Account, Kind
from foregate.wire.health import ProcessHealth

TOPICS_OF: Mapping[Kind, Sequence[str]] = {
    "events": (TOPIC_EVENTS, TOPIC_HISTORY),
    "spans": (TOPIC_SPANS,),
    "logs": (TOPIC_LOGS,),
    "points": (TOPIC_POINTS,),
}
# Who of those that read a topic accounts for its items.
KEEPER_OF: Mapping[Kind, str] = {"events": "windows", "spans": "archive", "logs": "logs", "points": "archive"}
_LOOKS_MAX = 20  # while what is looked at changes; then the sums may disagree for this once
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Observed:
    """What there is to look at. `stored(kind)`: the outcomes that its store has counted; `sizes`: bytes by store."""

    data: DataDir
    bus: Bus
    readers: Sequence[BusReader]
    stored: Callable[[Kind], Mapping[str, int]]
    sizes: Callable[[], Mapping[str, int]]
    processes: Callable[[], Sequence[ProcessHealth]]
    workers: int  # gateway's
    clock: Clock


def accounts(of: Observed) -> list[Account]:
    """By kind. Raises OSError when a store cannot be read."""
    taken = _taken(of.data)
    shed = int(_gateway_shed(of))
    found = []
    for kind in KINDS:
        at_door = taken.get(kind, Taken(0, 0, 0, 0))
        intake = Intake(at_door.duplicate, at_door.invalid, at_door.shed + (shed if kind == "events" else 0))
        stored, read_to = _stored(of, kind)
        found.append(account(kind, intake, _on_bus(of, kind, stored, read_to), stored))
    return found


def _stored(of: Observed, kind: Kind) -> tuple[Mapping[str, int], Mapping[str, Mapping[int, int]]]:
    """What its store has counted, and by topic up to which offsets: both of one moment, also while it takes items."""
    for _ in range(_LOOKS_MAX):
        before = _read_to(of, kind)
        stored = of.stored(kind)
        if _read_to(of, kind) == before:
            break
    return stored, before


def _read_to(of: Observed, kind: Kind) -> Mapping[str, Mapping[int, int]]:
    keeper = next(reader for reader in of.readers if reader.name == KEEPER_OF[kind])
    try:
        return {topic: keeper.read_to(of.bus, topic) for topic in TOPICS_OF[kind]}
    except OSError:  # there is no store yet; one that is there and cannot be read says so when it is asked for counts
        return {topic: {} for topic in TOPICS_OF[kind]}


def _on_bus(of: Observed, kind: Kind, stored: Mapping[str, int], read_to: Mapping[str, Mapping[int, int]]) -> OnBus:
    """What the bus has of a kind, of one moment, also while items come."""
    for _ in range(_LOOKS_MAX):
        before = _ever(of, kind)
        behind = [of.bus.lag(topic, read_to[topic]).items for topic in TOPICS_OF[kind]]
        if _ever(of, kind) == before:
            break
    appended, lost = before
    known = [items for items in behind if items is not None]
    if len(known) == len(behind):
        return OnBus(appended, lost, sum(known))
    ended = sum(stored.get(outcome, 0) for outcome in OUTCOMES)  # too many to be counted: all that have not ended
    return OnBus(appended, lost, max(0, appended - lost - ended))


def _ever(of: Observed, kind: Kind) -> tuple[int, int]:
    """Items that were ever appended, and those that were lost."""
    topics = TOPICS_OF[kind]
    return sum(of.bus.appended(topic) for topic in topics), sum(of.bus.lost(topic) for topic in topics)


def _taken(data: DataDir) -> Mapping[Kind, Taken]:
    if not data.ingest_counts.exists():
        return {}
    with closing(open_blocks(data.ingest_counts, INTAKE_ROWS, None)) as blocks:
        return read_counts(blocks)


def _gateway_shed(of: Observed) -> float:
    if not of.data.counters.exists():
        return 0.0
    with closing(open_blocks(of.data.counters, of.workers, None)) as blocks:
        (worker,) = blocks.claim([(layout.WORKER, layout.WORKER_CELLS)])
        return worker.total(layout.EVENTS_SHED)


def families(of: Observed) -> Iterator[Family]:
    """Raises OSError when a store cannot be read."""
    behind = lags(of.bus, of.readers)
    found = accounts(of)
    yield counter(
        "foregate_telemetry_received_total",
        "Items of telemetry that came, by kind.",
        *(Sample(each.received, {"kind": each.kind}) for each in found),
    )
    yield counter(
        "foregate_telemetry_items_total",
        "Items of telemetry by what became of them; together with those that wait they are all that came.",
        *(Sample(getattr(each, way), {"kind": each.kind, "outcome": way}) for each in found for way in OUTCOMES),
    )
    yield gauge(
        "foregate_telemetry_waiting_items",
        "Items on the bus that no store has yet.",
        *(Sample(each.waiting, {"kind": each.kind}) for each in found),
    )
    yield gauge(
        "foregate_telemetry_missing_items",
        "Items that the sums do not explain: not 0 for a minute, and somebody has to look.",
        *(Sample(each.missing, {"kind": each.kind}) for each in found),
    )
    known = [lag for lag in behind if lag.items is not None]
    yield gauge(
        "foregate_bus_lag_items",
        "Items that a reader of the bus has still to read.",
        *(Sample(lag.items or 0, {"reader": lag.reader, "topic": lag.topic}) for lag in known),
    )
    yield gauge(
        "foregate_bus_lag_batches",
        "Batches that a reader of the bus has still to read; of very many on Kafka the items are not known.",
        *(Sample(lag.batches, {"reader": lag.reader, "topic": lag.topic}) for lag in behind if lag.batches is not None),
    )
    yield gauge("foregate_bus_bytes", "Size of the bus.", Sample(of.bus.bytes_used))
    yield gauge(
        "foregate_store_bytes",
        "Size of what is kept, by store.",
        *(Sample(size, {"store": name}) for name, size in of.sizes().items()),
    )
    yield gauge("foregate_spool_bytes", "Events of gateway workers that wait for the bus.", Sample(_spooled(of.data)))
    yield from _intake(of.data)
    yield from _processes(of.processes())


def _spooled(data: DataDir) -> int:
    size = 0
    for file in data.spools.glob("w*/*.seg"):
        try:
            size += file.stat().st_size
        except FileNotFoundError:  # moved just now
            continue
    return size


def _intake(data: DataDir) -> Iterator[Family]:
    if not data.ingest_counts.exists():
        return
    with closing(open_blocks(data.ingest_counts, INTAKE_ROWS, None)) as blocks:
        gauges, flushes = blocks.claim([GAUGES, FLUSHES])
        for name, text, cell in (
            ("foregate_ingest_waiting_items", "Items received and not yet durable.", WAITING_ITEMS),
            ("foregate_ingest_held_bytes", "Bytes of bodies that are being taken in.", HELD_BYTES),
            ("foregate_ingest_active_requests", "Posts under way.", REQUESTS),
        ):
            yield gauge(name, text, Sample(gauges.total(cell)))
        counts = [flushes.total(at) for at in range(len(FLUSH_BOUNDS_S) + 1)]
        total = flushes.total(len(FLUSH_BOUNDS_S) + 1)
        yield histogram("foregate_ingest_flush_seconds", "Group commits of the intake.", FLUSH_BOUNDS_S, counts, total)


def _processes(of: Sequence[ProcessHealth]) -> Iterator[Family]:
    used = [(each.name, *usage) for each in of if each.pid and (usage := _used(each.pid)) is not None]
    yield gauge(
        "foregate_process_up",
        "1 while a process runs.",
        *(Sample(float(each.state == "running"), {"process": each.name}) for each in of),
    )
    yield counter(
        "foregate_process_restarts_total",
        "How often the supervisor has started a process again.",
        *(Sample(each.restarts, {"process": each.name}) for each in of),
    )
    yield counter(
        "foregate_process_cpu_seconds_total",
        "Processor time of a process since it began.",
        *(Sample(cpu_s, {"process": name}) for name, cpu_s, _ in used),
    )
    yield gauge(
        "foregate_process_resident_memory_bytes",
        "Memory of a process.",
        *(Sample(size, {"process": name}) for name, _, size in used),
    )


def _used(pid: int) -> tuple[float, int] | None:
    """CPU seconds and resident bytes; None where there is no such process, or no /proc."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(words[11]) + int(words[12])) / _CLOCK_TICKS, int(words[21]) * _PAGE_BYTES
