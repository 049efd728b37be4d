"""Files → systems. Twice through each file: first who is in it and when, then the numbers into place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from foregate.adapters.embedded.recorded.model import (
    CELLS_MAX,
    COLUMN,
    ENTITIES_MAX,
    KEYS,
    TIME,
    BadRecording,
    Recorded,
)
from foregate.adapters.embedded.recorded.side import read_calls, read_faults
from foregate.adapters.embedded.recorded.tables import batches
from foregate.adapters.embedded.recorded.values import Floats, Zones, check_times, check_values, numbers, seconds
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS

_Key = tuple[str, ...]  # of KEYS


@dataclass(slots=True)
class _Place:
    """Where an entity's minutes go: its system's array, and its row there. `last_s`: its latest minute so far."""

    number: int
    last_s: float = -np.inf


@dataclass(slots=True)
class _Span:
    """A system while it is read."""

    first_s: float = np.inf
    last_s: float = -np.inf
    entities: dict[_Key, _Place] = field(default_factory=dict)


def read_recorded(paths: Sequence[Path]) -> list[Recorded]:
    """The systems in some files, by name. A system may go on in another file; its side files stand beside either.

    Raises BadRecording, FileNotFoundError.
    """
    spans: dict[str, _Span] = {}
    for path in paths:
        _survey(path, spans)
    if not spans:
        raise BadRecording(f"{', '.join(map(str, paths)) or 'no file'}: there is no row in it")
    sizes = {name: int((span.last_s - span.first_s) // 60) + 1 for name, span in spans.items()}
    cells = sum(len(span.entities) * len(COLUMNS) * sizes[name] for name, span in spans.items())
    if cells > CELLS_MAX:
        longest = max(sizes, key=lambda name: sizes[name])
        raise BadRecording(
            f"the files hold {cells:,} values, {CELLS_MAX:,} at most are read at once: bring fewer entities or days "
            f"(system {longest!r} spans {sizes[longest] / 1440:,.1f} days; is a time wrong?)"
        )
    arrays = {
        name: np.full((len(span.entities), len(COLUMNS), sizes[name]), np.nan, dtype=np.float32)
        for name, span in spans.items()
    }
    for path in paths:
        _fill(path, spans, arrays)
    calls, faults = read_calls(paths, set(spans)), read_faults(paths, set(spans))
    return [
        Recorded(
            name,
            span.first_s,
            tuple(Entity(*key[1:]) for key in span.entities),
            arrays[name],
            frozenset(calls.get(name, ())),
            tuple(faults.get(name, ())),
        )
        for name, span in sorted(spans.items())
    ]


def _survey(path: Path, spans: dict[str, _Span]) -> None:
    """Take in who is there and when; check that times are whole minutes, in order and not told twice."""
    for first_row, _, times, keys, which in _rows(path):
        check_times(str(path), first_row, times)
        for key, rows in zip(keys, _of_each(which, len(keys)), strict=True):
            span = spans.setdefault(key[0], _Span())
            place = span.entities.setdefault(key, _Place(len(span.entities)))
            mine = times[rows]
            _check_order(path, first_row, rows, mine, place, key)
            place.last_s = float(mine[-1])
            span.first_s, span.last_s = min(span.first_s, float(mine[0])), max(span.last_s, float(mine[-1]))
        count = sum(len(span.entities) for span in spans.values())
        if count > ENTITIES_MAX:
            raise BadRecording(
                f"{path}: more than {ENTITIES_MAX:,} entities by row {first_row + len(times) - 1:,}; is a raw path in "
                "route, where its template belongs (/users/{id})? Otherwise split the files"
            )


def _check_order(path: Path, first_row: int, rows: NDArray[np.int64], times: Floats, place: _Place, key: _Key) -> None:
    steps = np.diff(times, prepend=place.last_s)
    if (steps > 0).all():
        return
    at = int(np.argmax(steps <= 0))
    what = "a minute that was told already" if steps[at] == 0 else "an earlier minute than the row before"
    raise BadRecording(
        f"{path}, row {first_row + int(rows[at]):,}: {what} of {' '.join(key)}: "
        "give one row per entity and minute, sorted by time"
    )


def _fill(path: Path, spans: dict[str, _Span], arrays: dict[str, NDArray[np.float32]]) -> None:
    where = str(path)
    for first_row, batch, times, keys, which in _rows(path):
        names = [name for name in batch.schema.names if name in COLUMN]
        values = {name: numbers(where, first_row, name, batch.column(name)) for name in names}
        check_values(where, first_row, values)
        unknown = np.isnan(values["requests"])  # a row without requests is a minute that was not recorded
        for key, rows in zip(keys, _of_each(which, len(keys)), strict=True):
            span, array = spans[key[0]], arrays[key[0]]
            mine = rows[~unknown[rows]]
            minutes = ((times[mine] - span.first_s) // 60).astype(np.int64)
            for name in names:
                array[span.entities[key].number, COLUMN[name], minutes] = values[name][mine]


def _rows(path: Path) -> Iterator[tuple[int, Any, Floats, list[_Key], NDArray[np.int64]]]:
    """Per batch: the number of its first row (1 is the first after the head), its times, the entities in it, and the
    index into these of every row.
    """
    zones, first_row = Zones(), 1
    for batch in batches(path):
        if not batch.num_rows:
            continue
        times = seconds(str(path), first_row, batch.column(TIME), zones)
        keys, which = _entities(path, first_row, batch)
        yield first_row, batch, times, keys, which
        first_row += batch.num_rows


def _of_each(which: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """The rows of each entity, in the order of the file."""
    order = np.argsort(which, kind="stable")
    return np.split(order, np.searchsorted(which[order], np.arange(1, count)))


def _entities(path: Path, first_row: int, batch: Any) -> tuple[list[_Key], NDArray[np.int64]]:
    which = np.zeros(batch.num_rows, dtype=np.int64)
    keys: list[tuple[str, ...]] = [()]
    for name in KEYS:
        column = pc.cast(batch.column(name), "string")
        empty = pc.is_null(column).to_numpy(zero_copy_only=False)
        if empty.any():
            raise BadRecording(f"{path}, row {first_row + int(np.argmax(empty)):,}: {name} is empty")
        encoded = column.dictionary_encode()
        words = encoded.dictionary.to_pylist()
        # numbered anew after each key: at most rows², where the product of all five would not fit
        pairs = which * len(words) + encoded.indices.to_numpy(zero_copy_only=False)
        distinct, first_seen, which = np.unique(pairs, return_index=True, return_inverse=True)
        keys = [(*keys[pair // len(words)], words[pair % len(words)]) for pair in distinct.tolist()]
    order = np.argsort(first_seen)  # entities in the order of the file
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return [keys[i] for i in order.tolist()], place[which]
