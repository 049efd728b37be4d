"""A file of endpoint checks, as status pages record them → the history of each endpoint."""

import csv
import gzip
import math
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

COLUMNS: Final = ("source", "endpoint", "time", "state", "status", "latency_ms")
ROWS_MAX: Final = 5_000_000  # a longer file is refused: it would not fit into memory
SENTENCES_MAX: Final = 20  # lines that are named; what is beyond is only counted
# "degraded" is an answer that came late: the endpoint works. It is up, and its latency says the rest.
_DOWN: Final = {"up": False, "degraded": False, "down": True}

Floats = NDArray[np.float64]


class ChecksError(Exception):
    """A file that cannot be judged; the message says why and is fit for people."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What was recorded of one endpoint, n records in order of time; of several at one time the last line holds.

    `time_s`: Unix seconds, strictly ascending. `down`: shape (n,). `latency_ms`: NaN where nothing answered.
    """

    source: str
    endpoint: str
    time_s: Floats
    down: NDArray[np.bool_]
    latency_ms: Floats


@dataclass(frozen=True, slots=True)
class Loaded:
    """`skipped`: lines that could not be read; `sentences` says why of the first `SENTENCES_MAX` of them."""

    histories: tuple[History, ...]
    rows: int
    skipped: int
    sentences: tuple[str, ...]


def load(file: Path) -> Loaded:
    """Read `file` (CSV, or gzip of it). A bad line is left out, with a sentence. Raises ChecksError."""
    try:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            return parse(lines)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise ChecksError(f"{file} cannot be read: {error}") from error


def parse(lines: Iterable[str]) -> Loaded:
    """The histories, ordered by source and endpoint. Raises ChecksError when there is nothing to judge."""
    rows = csv.reader(lines)
    header = next(rows, [])
    if (missing := [name for name in COLUMNS if name not in header]) or not header:
        raise ChecksError(f"the first line must name the columns {','.join(COLUMNS)}: {', '.join(missing)} missing")
    records: dict[tuple[str, str], list[tuple[float, bool, float]]] = defaultdict(list)
    sentences: list[str] = []
    read = skipped = 0
    for key, record, sentence in _records(rows, [header.index(name) for name in COLUMNS]):
        read += 1
        if read > ROWS_MAX:
            raise ChecksError(f"the file has more than {ROWS_MAX} lines: judge a part of it")
        if sentence:
            skipped += 1
            if len(sentences) < SENTENCES_MAX:
                sentences.append(f"line {rows.line_num}: {sentence}")
        else:
            records[key].append(record)
    if not records:
        raise ChecksError("the file holds no check that can be read: " + (sentences[0] if sentences else "it is empty"))
    histories = tuple(_history(key, records[key]) for key in sorted(records))
    return Loaded(histories, read, skipped, tuple(sentences))


def _records(
    rows: Iterator[list[str]], order: list[int]
) -> Iterator[tuple[tuple[str, str], tuple[float, bool, float], str]]:
    """((source, endpoint), (time in s, down, latency in ms), "" or what is wrong with the line), line by line."""
    for row in rows:
        try:
            source, endpoint, time, state, status, latency = (row[i] for i in order)
            yield (source, endpoint), _record(source, endpoint, time, state, status, latency), ""
        except IndexError:
            yield ("", ""), (0.0, False, 0.0), f"{len(row)} columns, not enough"
        except ValueError as error:
            yield ("", ""), (0.0, False, 0.0), str(error)


def _record(source: str, endpoint: str, time: str, state: str, status: str, latency: str) -> tuple[float, bool, float]:
    if not source or not endpoint:
        raise ValueError("source or endpoint is empty")
    if state not in _DOWN:
        raise ValueError(f"state {state[:40]!r} is none of {', '.join(_DOWN)}")
    if not status.isascii() or not status.isdigit() or int(status[:4]) > 999:
        raise ValueError(f"status {status[:40]!r} is no HTTP status (0 means no answer)")
    latency_ms = float(latency)
    if not math.isfinite(latency_ms) or latency_ms < 0:
        raise ValueError(f"latency_ms {latency[:40]!r} is no latency")
    at = datetime.fromisoformat(time)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return at.timestamp(), _DOWN[state], latency_ms if status != "0" else math.nan


def _history(key: tuple[str, str], records: list[tuple[float, bool, float]]) -> History:
    records.sort(key=lambda record: record[0])  # stable: of one time, the last line stays last
    time_s = np.array([record[0] for record in records])
    last = np.append(np.diff(time_s) > 0, True)
    down = np.array([record[1] for record in records])
    latency_ms = np.array([record[2] for record in records])
    return History(*key, time_s[last], down[last], latency_ms[last])
