"""A console whose telemetry is kept in real stores: windows in SQLite, single items in the archive."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from tests.control.world import NOW_S, Console, World, console, traffic, world

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.archive.writer import EmbeddedArchive
from foregate.app.questions import parquet_rows
from foregate.kernel.clock import ManualClock
from foregate.telemetry.query.asking import Asker
from foregate.telemetry.query.items import Items
from foregate.telemetry.query.windowed import Bounds
from foregate.telemetry.retention import Retention
from foregate.telemetry.rollup import merge_windows
from foregate.wire.accounts import Kind
from foregate.wire.event import RequestEvent


class QueryWorld:
    """`feed` windows events; `archive` keeps items as the keeper would."""

    def __init__(self, here: World, folder: Path, served: Console, kept: EmbeddedArchive) -> None:
        self.here = here
        self.served = served
        self._kept = kept
        self._offset = 0

    def feed(self, events: Sequence[RequestEvent], *, archived: bool = True) -> None:
        self.here.feed(list(events))
        while self.here.series.roll_up(merge_windows, 1_000):
            pass
        if archived:
            self.archive("events", events)

    def archive(self, kind: Kind, items: Sequence[Any]) -> None:
        self._offset += 1
        self._kept.append(kind, items, kind, {0: self._offset}, {})


@contextmanager
def query_world(folder: Path, bounds: Bounds | None = None) -> Iterator[QueryWorld]:
    clock = ManualClock(NOW_S)
    with world(folder, clock) as here:
        kept = EmbeddedArchive(folder / "archive", clock)
        reader = EmbeddedArchiveReader(folder / "archive")
        asks = Asker(here.series, reader, clock, Retention().kept_s, bounds)
        items = Items(here.bus, reader, here.series, clock)
        try:
            with console(here.deps(asks=asks, items=items, parquet=parquet_rows)) as served:
                yield QueryWorld(here, folder, served, kept)
        finally:
            reader.close()
            kept.close()


def some_traffic(seed: int, seconds: float = 600.0) -> list[RequestEvent]:
    return traffic(Random(seed), NOW_S - seconds, NOW_S)
