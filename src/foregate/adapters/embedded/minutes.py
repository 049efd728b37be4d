"""Minutes of APIs as Parquet, a file per organisation and day (UTC): a twentieth of what the windows take that they
come from, so that weeks of them can be kept to learn from.

A file is written under another name and renamed once it is on the disk: it is there whole, or not at all. It is a
recording like those that others bring: `foregate predict evaluate` reads it.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS

DAY_S: Final = 86_400
_KEYS: Final = ("service", "route", "environment")


class MinuteRows(NamedTuple):
    """n recorded minutes: whose (n,), numbers into `entities`; when each began, Unix seconds (n,); and what it says,
    (n, len(COLUMNS))."""

    entities: tuple[Entity, ...]
    entity: NDArray[np.int64]
    time_s: NDArray[np.int64]
    values: NDArray[np.float32]


class EmbeddedMinutes:
    """The files of one folder. Days are counted since 1970. All methods block, and may raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def days(self, org: str) -> Sequence[int]:
        """Which days are kept, in order."""
        return sorted(int(path.stem) for path in self._of(org).glob("*.parquet") if path.stem.isdigit())

    def put(self, org: str, day: int, rows: MinuteRows) -> None:
        """Keep a day; it replaces one that is there."""
        keys = pa.array(rows.entity, pa.int32())
        columns: dict[str, Any] = {
            name: pa.DictionaryArray.from_arrays(keys, pa.array([getattr(e, name) for e in rows.entities], pa.string()))
            for name in _KEYS
        }
        whose = pa.array([org], pa.string()).take(pa.array(np.zeros(len(rows.entity), dtype=np.int32)))
        columns = {"system": whose, "org": whose, **columns, "time": pa.array(rows.time_s, pa.timestamp("s", tz="UTC"))}
        columns |= {name: pa.array(rows.values[:, i], from_pandas=True) for i, name in enumerate(COLUMNS)}  # NaN: empty
        folder = self._of(org)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = folder / f".{day}.new"
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                pq.write_table(pa.table(columns), file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            new.replace(folder / f"{day}.parquet")
        except OSError:
            new.unlink(missing_ok=True)
            raise

    def requests(self, org: str, day: int) -> Mapping[Entity, float]:
        """How many requests each entity had on that day."""
        rows = self._read(org, day, ("requests",))
        sums = np.bincount(rows.entity, np.nan_to_num(rows.values[:, 0]), minlength=len(rows.entities))
        return dict(zip(rows.entities, sums.tolist(), strict=True))

    def read(self, org: str, day: int) -> MinuteRows:
        """A day as it was put; columns that are newer than the file are NaN. Raises OSError where it is damaged."""
        return self._read(org, day, COLUMNS)

    def expire(self, org: str, before_day: int) -> int:
        """Delete older days. Returns how many."""
        gone = [day for day in self.days(org) if day < before_day]
        for day in gone:
            (self._of(org) / f"{day}.parquet").unlink(missing_ok=True)
        return len(gone)

    def _of(self, org: str) -> Path:
        return self._folder / quote(org, safe="").replace(".", "%2E")

    def _read(self, org: str, day: int, names: Collection[str]) -> MinuteRows:
        path = self._of(org) / f"{day}.parquet"
        try:
            with pq.ParquetFile(path, read_dictionary=_KEYS) as file:
                known = set(file.schema_arrow.names)
                table = file.read([*_KEYS, "time", *(name for name in names if name in known)])
        except (pa.ArrowException, KeyError) as error:
            raise OSError(f"{path} is damaged: {error}") from error
        values = np.full((len(table), len(names)), np.nan, dtype=np.float32)
        for i, name in enumerate(names):
            if name in known:
                values[:, i] = table[name].to_numpy()
        entities, entity = _entities(org, [_whole(table[name]) for name in _KEYS])
        return MinuteRows(
            entities, entity, table["time"].cast(pa.timestamp("s", tz="UTC")).cast(pa.int64()).to_numpy(), values
        )


def _entities(org: str, columns: Sequence[Any]) -> tuple[tuple[Entity, ...], NDArray[np.int64]]:
    """Who is in it, and whose each row is. `columns`: those of the keys, as dictionaries and numbers into them."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        code = code * max(len(column.dictionary), 1) + column.indices.to_numpy()
    _, first, entity = np.unique(code, return_index=True, return_inverse=True)
    return tuple(Entity(org, *(column[int(row)].as_py() for column in columns)) for row in first), entity


def _whole(column: Any) -> Any:
    """A column of dictionaries as one of one dictionary."""
    found = column.unify_dictionaries().combine_chunks()
    return found if isinstance(found, pa.DictionaryArray) else found.dictionary_encode()
