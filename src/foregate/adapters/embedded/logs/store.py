"""Writing log records, and searching them."""

import base64
import binascii
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from zlib import crc32

import msgspec

from foregate.adapters.embedded.database import (
    begin_reading,
    bytes_used,
    failures_of,
    give_back,
    open_database,
    transaction,
)
from foregate.adapters.embedded.logs.parts import IDENTIFY, INDEX, INSERT, MIGRATIONS, Part, create, drop, grow, newest
from foregate.adapters.embedded.logs.words import query_of
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.ports.logs import LogAsk, LogPage
from foregate.wire.log import LogRecord

_TRIM_TO = 0.95  # of the bound
_CACHE_KIB = 32_768  # of a part's indexes, which grow at random places
_NS = 1_000_000_000
_TIME_NS_MAX = (1 << 63) - 2
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LogRecord).decode

Row = tuple[int, int, str, str, str, str, str, bytes]
Words = tuple[str, str]  # of the body, and of the attributes


class EmbeddedLogs:
    """Keeps `LogWriter` and `LogReader` of `foregate.ports.logs` in the file at `path`.

    One process writes; any process may open its own to read. Threads may share one. A commit survives kill -9; after a
    power loss the newest may be missing as a whole, and the bus is read again from the older offsets.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._db = open_database(path, MIGRATIONS, durable=False, shrinks=True)
        self._db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

    # --- writing ---------------------------------------------------------------------------------------------

    def take(
        self, items: Sequence[LogRecord], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        """Store records, offsets and counts in one transaction. Raises OSError."""
        by_org: dict[str, list[LogRecord]] = {}
        for record in items:
            by_org.setdefault(record.org, []).append(record)
        counted = {**counts, "accepted": len(items)}
        with self._lock, failures_of(self._path), transaction(self._db):
            for org, records in by_org.items():
                self._put(org, records)
            self._db.executemany(
                "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", [(topic, *place) for place in offsets.items()]
            )
            self._db.executemany(
                "INSERT INTO counts VALUES (?, ?) ON CONFLICT DO UPDATE SET items = items + excluded.items",
                [(what, count) for what, count in counted.items() if count],
            )

    def _put(self, org: str, records: list[LogRecord]) -> None:
        now_s = self._clock.now()
        part = newest(self._db, org)
        if part is None or part.full(now_s):
            part = create(self._db, org, now_s)
        rows, words = _rows(records, part.records)
        rows = self._insert(part, rows)
        indexed = [(row[0], *of) for row, of in zip(rows, words, strict=True)]
        self._db.executemany(IDENTIFY.format(ids=part.ids), _hashes(rows))
        self._db.executemany(INDEX.format(words=part.words), indexed)
        grow(self._db, part, rows[0][0], rows[-1][0], len(rows), now_s)

    def _insert(self, part: Part, rows: list[Row]) -> list[Row]:
        """As they were inserted: with other numbers where one of them was taken, which is rare."""
        insert = INSERT.format(logs=part.logs)
        self._db.execute("SAVEPOINT numbers")
        try:
            self._db.executemany(insert, rows)
        except sqlite3.IntegrityError:
            self._db.execute("ROLLBACK TO numbers")
            rows = self._free_numbers(part, rows)
            self._db.executemany(insert, rows)
        self._db.execute("RELEASE numbers")
        return rows

    def _free_numbers(self, part: Part, rows: Iterable[Row]) -> list[Row]:
        """The same with numbers that are not in the part: records of one moment are numbered on from its last."""
        free: list[Row] = []
        taken = f"SELECT 1 FROM {part.logs} WHERE number = ?"  # noqa: S608
        after = (
            f"SELECT number + 1 FROM {part.logs} AS a WHERE number >= ? AND NOT EXISTS "  # noqa: S608
            f"(SELECT 1 FROM {part.logs} WHERE number = a.number + 1) ORDER BY number LIMIT 1"
        )
        next_free = 0
        for row in rows:
            number = max(row[0], next_free)
            while self._db.execute(taken, (number,)).fetchone() is not None:
                (number,) = self._db.execute(after, (number,)).fetchone()
            next_free = number + 1
            free.append((number, *row[1:]))
        return free

    def offsets(self, topic: str) -> dict[int, int]:
        """Partition → last offset whose records are stored."""
        with self._lock, failures_of(self._path):
            return dict(self._db.execute("SELECT partition, offset FROM offsets WHERE topic = ?", (topic,)).fetchall())

    def expire(self, older_than_s: float, org: str | None = None) -> int:
        """Drop the parts whose last record arrived before that."""
        if org is None:
            return self._drop("closed_s < ? ORDER BY number", (older_than_s,))
        return self._drop("closed_s < ? AND org = ? ORDER BY number", (older_than_s, org))

    def trim(self, bytes_max: int) -> int:
        """When more than `bytes_max` is used, drop the oldest part of the org that has most records."""
        dropped = 0
        if self.bytes_used <= bytes_max:
            return 0
        while self.bytes_used > bytes_max * _TRIM_TO:
            gone = self._drop(
                "org = (SELECT org FROM parts GROUP BY org ORDER BY sum(records) DESC LIMIT 1) ORDER BY number LIMIT 1",
                (),
            )
            if not gone:
                break
            dropped += gone
        return dropped

    def _drop(self, which: str, values: Sequence[object]) -> int:
        """One transaction per part: who appends waits for no more than one."""
        with self._lock, failures_of(self._path):
            parts = [Part(*row) for row in self._db.execute(f"SELECT * FROM parts WHERE {which}", values)]  # noqa: S608
        for part in parts:
            with self._lock, failures_of(self._path), transaction(self._db):
                drop(self._db, part)
        if parts:
            with self._lock, failures_of(self._path):
                give_back(self._db)
        return sum(part.records for part in parts)

    @property
    def bytes_used(self) -> int:
        with self._lock, failures_of(self._path):
            return bytes_used(self._db)

    # --- reading ---------------------------------------------------------------------------------------------

    def search(self, ask: LogAsk, limit: int, cursor: str = "") -> LogPage:
        """Newest first. Records of one moment in two parts may come in either order, but none twice or not at all."""
        before = _read_cursor(cursor)
        until = min(int(ask.until_s * _NS), _TIME_NS_MAX)
        from_ns = max(int(ask.from_s * _NS), 0)
        words = query_of(ask.words)
        if ask.words.strip() and not words:
            return LogPage(())  # nothing but punctuation: no record has it as a word
        found: list[tuple[int, int, bytes]] = []
        with self._lock, failures_of(self._path), transaction(self._db, begin_reading):
            for part in self._parts(ask.org, from_ns, until):
                if len(found) > limit and found[limit][0] > part.last_ns:
                    break
                rows = self._of_part(part, ask, words, from_ns, until, before, limit + 1)
                found = sorted([*found, *rows], key=lambda row: (-row[0], -row[1]))[: limit + 1]
        page = [_decode(row[2]) for row in found[:limit]]
        return LogPage(page, _cursor(*found[limit - 1][:2]) if len(found) > limit else "")

    def _parts(self, org: str, from_ns: int, until_ns: int) -> list[Part]:
        rows = self._db.execute(
            "SELECT * FROM parts WHERE org = ? AND last_ns >= ? AND first_ns < ? ORDER BY last_ns DESC",
            (org, from_ns, until_ns),
        ).fetchall()
        return [Part(*row) for row in rows]

    def _of_part(
        self, part: Part, ask: LogAsk, words: str, from_ns: int, until_ns: int, before: tuple[int, int], limit: int
    ) -> list[tuple[int, int, bytes]]:
        """Numbers, the part's number, and records, the newest first."""
        last = before[0] if part.number >= before[1] else before[0] + 1
        where = ["{number} >= ?", "{number} < ?"]
        values: list[object] = [from_ns, min(until_ns, last)]
        for column in ("service", "environment", "trace_id", "request_id", "key_id"):
            if value := getattr(ask, column):
                where.append(f"{column} = ?")
                values.append(value)
        if ask.severity_min > 0:
            where.append("severity >= ?")
            values.append(ask.severity_min)
        source, number = part.logs, "number"
        if words:
            source, number = f"{part.words} AS w CROSS JOIN {part.logs} ON number = w.rowid", "w.rowid"
            where.append(f"{part.words} MATCH ?")
            values.append(words)
        elif identified := ask.trace_id or ask.request_id or ask.key_id:
            source, number = f"{part.ids} AS i CROSS JOIN {part.logs} USING (number)", "i.number"
            where.append("hash = ?")
            values.append(crc32(identified.encode()))
        sql = (
            f"SELECT {number}, {part.number}, record FROM {source} "  # noqa: S608 - names of ours
            f"WHERE {' AND '.join(where).format(number=number)} ORDER BY {number} DESC LIMIT ?"
        )
        return self._db.execute(sql, (*values, limit)).fetchall()

    def counts(self) -> dict[str, int]:
        """What became of log records, since ever."""
        with self._lock, failures_of(self._path):
            return dict(self._db.execute("SELECT what, items FROM counts").fetchall())

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _rows(records: Sequence[LogRecord], count: int) -> tuple[list[Row], list[Words]]:
    """As they are stored and indexed, by rising numbers, each once. `count`: how many came before."""
    rows: list[Row] = []
    words: list[Words] = []
    number = -1
    numbered = sorted(
        ((_number(record.time_ns, at), record) for at, record in enumerate(records, count)), key=itemgetter(0)
    )
    for wanted, record in numbered:
        number = max(number + 1, min(wanted, _TIME_NS_MAX - len(records)))
        names = (record.environment, record.service, record.trace_id, record.request_id, record.key_id)
        rows.append((number, record.severity, *names, _encode(record)))
        words.append((record.body, " ".join(f"{name} {value}" for name, value in record.attributes.items())))
    return rows, words


def _hashes(rows: Iterable[Row]) -> list[tuple[int, int]]:
    """In the order of the table, so that its pages are each written once."""
    return sorted((crc32(of.encode()), row[0]) for row in rows for of in row[4:7] if of)


def _number(time_ns: int, at: int) -> int:
    """Its time; where that is in whole micro- or milliseconds or seconds, the digits below say in which order it came.

    So hardly any two are the same.
    """
    for unit in (_NS, 1_000_000, 1_000):
        if time_ns % unit == 0:
            return time_ns + at % unit
    return time_ns


def _cursor(number: int, part: int) -> str:
    return base64.urlsafe_b64encode(b"%d %d" % (number, part)).decode()


def _read_cursor(cursor: str) -> tuple[int, int]:
    """(number, part) of the last record that was given."""
    if not cursor:
        return _TIME_NS_MAX, 0
    try:
        number, part = base64.urlsafe_b64decode(cursor.encode("ascii")).split()
        place = int(number), int(part)
    except (binascii.Error, ValueError):
        raise ForegateError("invalid_parameter", "cursor: not one that this API gave out.") from None
    if not 0 <= place[0] <= _TIME_NS_MAX:
        raise ForegateError("invalid_parameter", "cursor: not one that this API gave out.")
    return place
