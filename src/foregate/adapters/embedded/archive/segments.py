"""Segments as files: written whole and durably before anybody hears of them, sorted by time."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from types import TracebackType

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from foregate.adapters.embedded.archive.manifest import Segment
from foregate.adapters.embedded.archive.tables import schema
from foregate.adapters.sql.columns import PER_SECOND, TIMES, columns
from foregate.kernel.ids import new_id
from foregate.wire.accounts import Kind

SUFFIX = ".parquet"
DAY_S = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_GROUP_ITEMS = 100_000  # of a row group: what a reader passes over or reads at once
_LEVEL = 1  # of zstd: higher ones take twice the time for some percent
_PAGE_BYTES = 131_072  # of each column, of each file that is merged, one is in memory
_NO_DICTIONARY = frozenset({"request_id", "trace_id", "span_id", "parent_span_id", "parent_id"})  # no value comes twice

# Numbers that come again and again; of others a dictionary would be as long as the column.
_REPEATED: dict[Kind, list[str]] = {
    "events": ["status", "attempts", "inflight", "request_bytes", "response_bytes", "latency_ms", "upstream_ms"],
    "spans": ["http_status"],
    "points": ["value", "monotonic", "delta", "count", "start_s"],
}


def folder_of(kind: Kind, org: str, day: int) -> str:
    """Readable, and another one for every org whatever its name."""
    digest = hashlib.sha256(org.encode()).hexdigest()[:12]
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", org)[:40]
    return f"{kind}/{plain}-{digest}/{date.fromordinal(_EPOCH + day).isoformat()}"


class SegmentFile:
    """One file being written: a context manager. Tables are given in order of time. Leaving it by an exception deletes
    it, else it has its `segment` then. Raises OSError; pyarrow's I/O errors are such."""

    segment: Segment

    def __init__(self, root: Path, kind: Kind, org: str, day: int) -> None:
        self._root = root
        self._of = (kind, org, day)
        self._file = f"{folder_of(kind, org, day)}/{new_id('s')}{SUFFIX}"
        self._path = root / self._file
        self._items = 0
        self._first = self._last = 0.0
        self._pending: list[pa.Table] = []

    def __enter__(self) -> "SegmentFile":
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kind = self._of[0]
        names = [column.name for column in columns(kind) if column.type in ("text", "json")]
        self._writer = pq.ParquetWriter(
            self._path,
            schema(kind),
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=[*(name for name in names if name not in _NO_DICTIONARY), *_REPEATED[kind]],
            write_statistics=True,
            data_page_size=_PAGE_BYTES,
        )
        return self

    def write(self, table: pa.Table) -> None:
        """Rows not older than those before."""
        if not table.num_rows:
            return
        times = table.column(TIMES[self._of[0]])
        if not self._items:
            self._first = times[0].as_py()
        self._last = times[-1].as_py()
        self._items += table.num_rows
        self._pending.append(table)
        if sum(each.num_rows for each in self._pending) >= _GROUP_ITEMS:
            self._write_group()

    def _write_group(self) -> None:
        if self._pending:
            self._writer.write_table(pa.concat_tables(self._pending), row_group_size=2 * _GROUP_ITEMS)
            self._pending.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._write_group()
            self._writer.close()
            if error is None:
                sync(self._path)
                sync(self._path.parent)
                self.segment = self._describe()
        except BaseException:
            self._path.unlink(missing_ok=True)
            raise
        if error is not None:
            self._path.unlink(missing_ok=True)

    def _describe(self) -> Segment:
        """What the manifest is to say of it."""
        kind, org, day = self._of
        names = msgspec.json.encode([column.name for column in columns(kind)]).decode()
        per_s = PER_SECOND[kind]
        return Segment(
            file=self._file,
            kind=kind,
            org=org,
            day=day,
            columns=names,
            items=self._items,
            bytes=self._path.stat().st_size,
            first_s=self._first / per_s,
            last_s=self._last / per_s,
            digest=digest(self._path),
        )


def write_segments(root: Path, kind: Kind, org: str, table: pa.Table) -> Iterator[Segment]:
    """One segment per day of the table's items, which are all of `org`. Raises OSError."""
    day_units = DAY_S * PER_SECOND[kind]
    table = in_order(kind, table)
    times = table.column(TIMES[kind]).to_numpy()
    begin = 0
    while begin < len(times):
        day = int(times[begin] // day_units)
        end = int(np.searchsorted(times, (day + 1) * day_units))
        with SegmentFile(root, kind, org, day) as file:
            file.write(table.slice(begin, end - begin))
        yield file.segment
        begin = end


def in_order(kind: Kind, table: pa.Table) -> pa.Table:
    """By time. Items usually come so, and looking is cheaper than sorting."""
    times = table.column(TIMES[kind]).to_numpy()
    return table if bool(np.all(times[1:] >= times[:-1])) else table.sort_by(TIMES[kind])


def files_under(root: Path) -> Iterable[Path]:
    """All segment files there are, whether they count or not."""
    return root.glob(f"*/*/*/*{SUFFIX}")


def delete(root: Path, files: Iterable[str]) -> None:
    """And the folders that are empty then."""
    for file in files:
        path = root / file
        path.unlink(missing_ok=True)
        for folder in list(path.parents)[:2]:
            try:
                folder.rmdir()
            except OSError:  # not empty
                break


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
