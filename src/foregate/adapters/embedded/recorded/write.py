"""Systems → a file, one row per entity and recorded minute, with its side files. The same systems, the same bytes."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from foregate.adapters.embedded.recorded.model import COLUMN, KEYS, TIME, BadRecording, stem_of
from foregate.adapters.embedded.recorded.side import CALLS, FAULTS
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, FaultNote

_SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in KEYS),
        (TIME, pa.timestamp("s", tz="UTC")),
        *((name, pa.float32()) for name in COLUMNS),
    ]
)
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


class Written(Protocol):
    """What can be written: `Recorded`, and whatever has its fields."""

    @property
    def name(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def entities(self) -> tuple[Entity, ...]: ...
    @property
    def minutes(self) -> NDArray[np.float32]: ...
    @property
    def calls(self) -> frozenset[tuple[str, str]]: ...
    @property
    def faults(self) -> tuple[FaultNote, ...]: ...


def write_recorded(path: Path, systems: Iterable[Written]) -> None:
    """Write systems as they come, one row group each: .parquet, .csv or .csv.gz, by the name of the file.

    A minute that was not recorded gets no row. Raises BadRecording for another ending.
    """
    notes: list[tuple[str, frozenset[tuple[str, str]], tuple[FaultNote, ...]]] = []
    with _sink(path) as sink:
        for system in systems:
            sink.write(_rows(system))
            notes.append((system.name, system.calls, system.faults))
    stem = path.with_name(stem_of(path))
    calls = [(name, *pair) for name, pairs, _ in notes for pair in sorted(pairs)]
    faults = [(name, *_fault(note)) for name, _, found in notes for note in found]
    _side(stem.with_name(f"{stem.name}.calls.csv"), CALLS, calls)
    _side(stem.with_name(f"{stem.name}.faults.csv"), (*FAULTS, "severity"), faults)


def _rows(system: Written) -> Any:
    entity, minute = np.nonzero(~np.isnan(system.minutes[:, COLUMN["requests"]]))
    seconds = (system.start_s + 60 * minute).astype(np.int64)
    columns: list[Any] = [pa.array([system.name] * len(entity), pa.string())]
    for name in KEYS[1:]:
        words = pa.array([getattr(each, name) for each in system.entities], pa.string())
        columns.append(words.take(pa.array(entity)))
    columns.append(pa.array(seconds, pa.timestamp("s", tz="UTC")))
    columns += [
        pa.array(system.minutes[entity, COLUMN[name], minute], pa.float32(), from_pandas=True) for name in COLUMNS
    ]  # from_pandas: NaN is written as empty
    return pa.table(columns, schema=_SCHEMA)


class _Csv:
    """A CSV file written table by table."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._options = pa.csv.WriteOptions(include_header=True, quoting_style="needed")

    def write(self, table: Any) -> None:
        times = pa.compute.strftime(table.column(TIME), format=_TIME_FORMAT)
        table = table.set_column(table.schema.get_field_index(TIME), TIME, times)
        text = io.BytesIO()
        pa.csv.write_csv(table, text, self._options)
        self._file.write(text.getvalue())
        self._options = pa.csv.WriteOptions(include_header=False, quoting_style="needed")


class _Parquet:
    """A Parquet file, a row group per table."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, table: Any) -> None:
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))


@contextmanager
def _sink(path: Path) -> Iterator[_Csv | _Parquet]:
    if path.name.endswith(".parquet"):
        with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
            yield _Parquet(writer)
    elif path.name.endswith(".csv.gz"):
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
            yield _Csv(file)
    elif path.name.endswith(".csv"):
        with path.open("wb") as file:
            yield _Csv(file)
    else:
        raise BadRecording(f"{path}: write .parquet, .csv or .csv.gz")


def _fault(note: FaultNote) -> tuple[str | float, ...]:
    return (
        note.kind,
        note.service,
        note.start_s,
        note.duration_s,
        str(note.benign).lower(),
        str(note.heals).lower(),
        note.severity,
    )


def _side(path: Path, head: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    if not lines:
        path.unlink(missing_ok=True)  # one that was left from before would be read
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(lines)
