"""Which stores keep the windows and the single items: files of this machine, or a PostgreSQL that several share.

Every handle is for one process, and may be used by its threads. All of these raise OSError when a store cannot be
opened now. What a store needs is imported when it is opened: pyarrow, DuckDB and psycopg are large.
"""

from typing import Protocol

from foregate.adapters.embedded.archive.manifest import Manifest
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime
from foregate.kernel.clock import Clock
from foregate.ports.archive import ArchiveReader, ArchiveWriter
from foregate.ports.series import SeriesReader, SeriesWriter


class _Closable(Protocol):
    def close(self) -> None: ...


class SeriesStore(SeriesWriter, SeriesReader, _Closable, Protocol):
    """Both sides of the series port, and their end."""


class ArchiveStore(ArchiveWriter, _Closable, Protocol):
    """The writing side of the archive, and its end."""


class ArchiveAnswers(ArchiveReader, _Closable, Protocol):
    """The asking side of the archive, and its end."""


class KeepsOffsets(_Closable, Protocol):
    """As much of a store as says how far it has read the bus."""

    def offsets(self, topic: str) -> dict[int, int]: ...


def open_series(runtime: Runtime, data: DataDir) -> SeriesStore:
    """The windows."""
    if runtime.store:
        from foregate.adapters.distributed.postgres.series import PostgresSeries

        return PostgresSeries(runtime.store)
    return EmbeddedSeries(data.series)


def open_archive_writer(runtime: Runtime, data: DataDir, clock: Clock) -> ArchiveStore:
    """The single items, for the one process that keeps them."""
    if runtime.store:
        from foregate.adapters.distributed.postgres.archive import PostgresArchive

        return PostgresArchive(runtime.store)
    from foregate.adapters.embedded.archive.writer import EmbeddedArchive

    return EmbeddedArchive(data.archive, clock)


def open_archive_reader(runtime: Runtime, data: DataDir) -> ArchiveAnswers:
    """The single items, for whoever asks."""
    if runtime.store:
        from foregate.adapters.distributed.postgres.archive_reader import PostgresArchiveReader

        return PostgresArchiveReader(runtime.store)
    from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader

    return EmbeddedArchiveReader(data.archive)


def open_archive_offsets(runtime: Runtime, data: DataDir) -> KeepsOffsets:
    """How far the single items have come, without what it takes to write or ask them."""
    if runtime.store:
        from foregate.adapters.distributed.postgres.archive import PostgresArchive

        return PostgresArchive(runtime.store)
    return Manifest(data.archive)
