"""What the control process asks of telemetry: windows at once, the archive from the first question that needs it."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from foregate.app.bus import open_bus
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime
from foregate.app.stores import open_archive_reader
from foregate.kernel.clock import Clock
from foregate.ports.archive import ArchiveReader, Page
from foregate.ports.series import SeriesReader
from foregate.telemetry.query.asking import Asker
from foregate.telemetry.query.items import Items
from foregate.telemetry.retention import Retention
from foregate.wire.accounts import Kind
from foregate.wire.ask import Answer, Ask, Filter


class LateArchive:
    """Keeps `ArchiveReader`: opened by the first call, because DuckDB is large and most consoles never need it.

    Threads may share it. Every call may raise OSError; the next one tries again.
    """

    def __init__(self, open_it: Callable[[], ArchiveReader]) -> None:
        self._open = open_it
        self._lock = threading.Lock()
        self._archive: ArchiveReader | None = None

    def _opened(self) -> ArchiveReader:
        with self._lock:
            if self._archive is None:
                self._archive = self._open()
            return self._archive

    def ask(self, ask: Ask, *, rows_max: int) -> Answer:
        return self._opened().ask(ask, rows_max=rows_max)

    def scan(
        self,
        kind: Kind,
        org: str,
        from_s: float,
        until_s: float,
        filters: Sequence[Filter] = (),
        *,
        limit: int = 100,
        cursor: str = "",
    ) -> Page:
        return self._opened().scan(kind, org, from_s, until_s, filters, limit=limit, cursor=cursor)

    def orgs(self) -> Sequence[str]:
        return self._opened().orgs()

    def items(self, kind: Kind) -> int:
        return self._opened().items(kind)

    def counts(self, kind: Kind) -> dict[str, int]:
        return self._opened().counts(kind)

    @property
    def bytes_used(self) -> int:
        return self._opened().bytes_used


def open_questions(data: DataDir, runtime: Runtime, series: SeriesReader, clock: Clock) -> tuple[Asker, Items]:
    """The query API's two sides, on the stores that the configuration names. Raises OSError."""
    archive = LateArchive(lambda: open_archive_reader(runtime, data))
    retention = Retention(runtime.retention_days, runtime.retention)
    asker = Asker(series, archive, clock, retention.kept_s)
    return asker, Items(open_bus(data, runtime.bus, clock), archive, series, clock)


def parquet_rows(columns: Sequence[tuple[str, str]]) -> Any:
    """An encoder; pyarrow is loaded by the first export that wants it."""
    from foregate.adapters.embedded.parquet_rows import ParquetRows

    return ParquetRows(columns)
