"""The archive's readers: DuckDB in memory over the segments that the manifest names just now.

DuckDB reads files of the archive alone, writes none (no spill), loads no extensions, and has bounds for memory, threads
and time. Each question has the manifest's word on how much it would look at before anything is read.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from foregate.adapters.embedded.archive.manifest import Manifest, Segment
from foregate.adapters.sql import Dialect, Query, answer_of, page_of, page_query, steps_query, whole_query
from foregate.adapters.sql.columns import PER_SECOND, TIMES, columns
from foregate.adapters.sql.paging import check_limit, read_cursor
from foregate.kernel.errors import ForegateError
from foregate.ports.archive import Page
from foregate.wire.accounts import Kind
from foregate.wire.ask import Answer, Ask, Filter

QUERY_TIMEOUT_S = 30.0  # shorter than the writer's GRACE_S: no file goes away under a question
MEMORY_BYTES_MAX = 1_073_741_824  # of DuckDB: a question that needs more is refused
THREADS = 2
QUERIES_MAX = 4  # at a time; another one waits its turn, as long as it may take itself
_SLACK_S = 1.0  # seconds say times in nanoseconds inexactly
_SEGMENTS_FIRST = 2  # a page looks at the newest segments first, then at four times as many

DUCKDB = Dialect("?", lambda expression, share: f"quantile_disc({expression}, {share})")


class EmbeddedArchiveReader:
    """Keeps `foregate.ports.archive.ArchiveReader`. Threads may share it."""

    def __init__(
        self, folder: Path, *, timeout_s: float = QUERY_TIMEOUT_S, memory_bytes_max: int = MEMORY_BYTES_MAX
    ) -> None:
        """Raises OSError."""
        self._folder = folder.resolve()
        self._timeout_s = timeout_s
        self._manifest = Manifest(folder)
        self._turns = threading.BoundedSemaphore(QUERIES_MAX)
        self._duckdb = _open(self._folder, memory_bytes_max)

    def ask(self, ask: Ask, *, rows_max: int) -> Answer:
        """Answer from raw events. Raises ForegateError: query_too_large, query_timeout, invalid_parameter."""
        segments = self._manifest.segments("events", ask.org, ask.from_s, ask.until_s)
        read = sum(_share_of(segment, ask.from_s, ask.until_s) for segment in segments)
        if read > rows_max:
            raise ForegateError(
                "query_too_large", f"it would look at {read:,} events of the range, and {rows_max:,} is the bound"
            )
        until_s = min(ask.until_s, self._manifest.newest_s("events", ask.org))
        source = _source("events", self._folder, segments)
        whole = self._run(whole_query(ask, source, DUCKDB)) if segments else []
        steps: Sequence[Any] = ()
        if ask.step_s and whole:
            groups = [row[: len(ask.group_by)] for row in whole]
            steps = self._run(steps_query(ask, groups, source, DUCKDB))
        return answer_of(ask, whole, steps, read=read, until_s=until_s)

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
        """Items, newest first. Raises ForegateError: invalid_parameter, query_timeout."""
        check_limit(limit)
        place = read_cursor(cursor)
        end_s = until_s if place is None else min(until_s, place.time / PER_SECOND[kind] + _SLACK_S)
        segments = self._manifest.segments(kind, org, from_s, end_s)
        asked = _SEGMENTS_FIRST
        while True:
            source = _source(kind, self._folder, segments[:asked])
            query = page_query(kind, org, from_s, until_s, filters, limit, place, source, DUCKDB)
            rows = self._run(query)
            page = page_of(kind, rows, limit, place)
            if asked >= len(segments) or (page.cursor and _oldest_s(kind, rows) > segments[asked].last_s):
                return page
            asked *= 4

    def _run(self, query: Query) -> list[tuple[Any, ...]]:
        """Its rows, within the time and the memory that a question may take."""
        if not self._turns.acquire(timeout=self._timeout_s):
            raise ForegateError("query_timeout", "too many questions are being answered")
        cursor = self._duckdb.cursor()
        timer = threading.Timer(self._timeout_s, cursor.interrupt)
        timer.start()
        try:
            return cursor.execute(query.sql, query.params).fetchall()
        except duckdb.InterruptException as error:
            raise ForegateError("query_timeout", f"it was broken off after {self._timeout_s:g} s") from error
        except duckdb.OutOfMemoryException as error:
            raise ForegateError("query_too_large", "it needs more memory than one question may use") from error
        except duckdb.Error as error:  # such as of a file that is damaged: it is no Parquet any more
            raise OSError(f"{self._folder}: {error}") from error
        finally:
            timer.cancel()
            cursor.close()
            self._turns.release()

    def orgs(self) -> Sequence[str]:
        """Whose items there are."""
        return self._manifest.orgs()

    def items(self, kind: Kind) -> int:
        """How many are stored now."""
        return self._manifest.items(kind)

    def counts(self, kind: Kind) -> dict[str, int]:
        """The accounts of this kind."""
        return self._manifest.counts(kind)

    @property
    def bytes_used(self) -> int:
        """Of the segments' files."""
        return self._manifest.bytes_used

    def close(self) -> None:
        self._duckdb.close()
        self._manifest.close()


def _open(folder: Path, memory_bytes_max: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    for statement in (
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        f"SET threads = {THREADS}",
        f"SET memory_limit = '{memory_bytes_max}B'",
        "SET temp_directory = ''",
        "SET parquet_metadata_cache = true",
        f"SET allowed_directories = [{_text(str(folder))}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)
    return connection


def _source(kind: Kind, folder: Path, segments: Sequence[Segment]) -> str:
    """What stands after FROM: the segments, those of the same columns together; a column that some have not has its
    default there."""
    shapes: dict[str, list[Segment]] = {}
    for segment in segments:
        shapes.setdefault(segment.columns, []).append(segment)
    parts = [_part(kind, folder, mine) for mine in shapes.values()]
    return f"({' UNION ALL '.join(parts) or _empty(kind)}) AS items"


def _part(kind: Kind, folder: Path, segments: Sequence[Segment]) -> str:
    there = segments[0].names
    picked = ", ".join(
        f'"{column.name}"'
        if column.name in there
        else f'{_literal(column.stored_default)}::{_DUCKDB[column.type]} AS "{column.name}"'
        for column in columns(kind)
    )
    files = ", ".join(_text(str(folder / segment.file)) for segment in segments)
    return f"SELECT {picked} FROM read_parquet([{files}], hive_partitioning = false)"  # noqa: S608 - our own names


def _empty(kind: Kind) -> str:
    picked = ", ".join(f'NULL::{_DUCKDB[column.type]} AS "{column.name}"' for column in columns(kind))
    return f"SELECT {picked} WHERE false"


_DUCKDB = {"text": "VARCHAR", "integer": "BIGINT", "real": "DOUBLE", "boolean": "BOOLEAN", "json": "VARCHAR"}


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return _text(value) if isinstance(value, str) else str(value)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _share_of(segment: Segment, from_s: float, until_s: float) -> int:
    """About how many of its items are of the range: exactly where it holds all of them."""
    span_s = segment.last_s - segment.first_s
    if span_s <= 0 or (from_s <= segment.first_s and segment.last_s < until_s):
        return segment.items
    covered_s = min(until_s, segment.last_s) - max(from_s, segment.first_s)
    return min(segment.items, int(segment.items * covered_s / span_s) + 1)


def _oldest_s(kind: Kind, rows: Sequence[Sequence[Any]]) -> float:
    at = [column.name for column in columns(kind)].index(TIMES[kind])
    return float(rows[-1][at]) / PER_SECOND[kind]
