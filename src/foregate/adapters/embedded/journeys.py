"""Journeys on one machine: an SQLite file, one row and one compressed blob per journey, one writer beside readers.

Journeys, calls, and how far the bus was read change in one transaction. A commit survives kill -9; after a power loss
the newest transactions may be missing as a whole, and the bus, which is durable, is read again from the older offsets.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cramjam
import msgspec

from foregate.adapters.embedded.database import bytes_used, failures_of, give_back, open_database, transaction
from foregate.adapters.embedded.journeys_schema import MIGRATIONS
from foregate.adapters.embedded.journeys_search import cursor_of, page, read_cursor
from foregate.ports.journeys import Dropped, JourneyPage, JourneyStep
from foregate.wire.journey import Call, CallMinute, JourneyAsk, Stored, Summary, trace_key
from foregate.wire.span import decode_spans, encode_spans

MergeLatency = Callable[[bytes, bytes], bytes]
_EXPIRE_ROWS_MAX = 1_000  # per transaction
_TRIM_TO = 0.95  # of the bound
_KEY_BYTES = 12
_ZSTD_LEVEL = 3
_HOUR_S = 3_600

_PUT = (
    "INSERT INTO journeys (key, org, start_s, duration_ms, route, failed, summary) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET start_s = excluded.start_s, duration_ms = excluded.duration_ms, "
    "route = excluded.route, failed = excluded.failed, summary = excluded.summary RETURNING id"
)
_ADD_CALLS = (
    "INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "requests = requests + excluded.requests, errors = errors + excluded.errors, "
    "latency = merged_latency(latency, excluded.latency)"
)
_CALLS = (
    "SELECT org, caller, caller_environment, callee, callee_environment, start_s, requests, errors, latency "
    "FROM {table} WHERE org = ? AND start_s >= ? AND start_s < ?"
)
_CALLERS = (
    "SELECT org, caller, caller_environment, callee, callee_environment, max(start_s) FROM calls "
    "WHERE org = ? AND start_s >= ? GROUP BY 1, 2, 3, 4, 5 LIMIT ?"
)
_NEXT_ORG = "SELECT min(org) FROM calls WHERE org > ?"
_LOAD = "SELECT summary, spans FROM journeys JOIN spans ON journey = id WHERE key = ?"
_encode = msgspec.msgpack.Encoder().encode
_decode_summary = msgspec.msgpack.Decoder(Summary).decode


class EmbeddedJourneys:
    """Keeps `JourneyWriter` and `JourneyReader` of `foregate.ports.journeys` in the file at `path`.

    `merged_latency` makes one encoded sketch of two; only a writer needs it. Threads may share one.
    """

    def __init__(self, path: Path, merged_latency: MergeLatency | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db = open_database(path, MIGRATIONS, durable=False, shrinks=True)
        if merged_latency is not None:
            self._db.create_function("merged_latency", 2, merged_latency, deterministic=True)

    # --- writing ---------------------------------------------------------------------------------------------

    def write(self, step: JourneyStep) -> None:
        """All of a step in one transaction."""
        blobs = [_compressed(stored) for stored in step.kept]  # before the lock of the file is taken
        with self._lock, failures_of(self._path), transaction(self._db):
            for stored, blob in zip(step.kept, blobs, strict=True):
                self._put(stored.summary, blob)
            if step.calls:
                self._db.executemany(_ADD_CALLS.format(table="calls"), [_call_row(one, 60) for one in step.calls])
                self._db.executemany(
                    _ADD_CALLS.format(table="call_hours"), [_call_row(one, _HOUR_S) for one in step.calls]
                )
            if step.dropped:
                self._db.execute("INSERT INTO dropped VALUES (?, ?)", (step.number, b"".join(step.dropped)))
            self._db.execute("DELETE FROM dropped WHERE step < ?", (step.forget_below,))
            self._db.executemany(
                "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?, ?)",
                [(*place, offset, step.needed.get(place, offset)) for place, offset in step.offsets.items()],
            )
            self._db.executemany(
                "INSERT INTO counts VALUES (?, ?) ON CONFLICT DO UPDATE SET items = items + excluded.items",
                (step.counts or {}).items(),
            )

    def _put(self, summary: Summary, blob: bytes) -> None:
        key = trace_key(summary.org, summary.trace_id)
        columns = (summary.start_s, summary.duration_ms, summary.route, summary.failed)
        row = (key, summary.org, *columns, _encode(summary))
        (number,) = self._db.execute(_PUT, row).fetchone()
        self._db.execute("INSERT OR REPLACE INTO spans VALUES (?, ?)", (number, blob))
        self._db.execute("DELETE FROM participants WHERE id = ?", (number,))
        self._db.executemany(
            "INSERT OR IGNORE INTO participants VALUES (?, ?, ?, ?, ?)",
            [(summary.org, service, summary.start_s, number, where) for service, where in summary.participants],
        )

    def offsets(self, topic: str) -> dict[int, int]:
        """Partition → up to where it was read."""
        return self._places("offset", topic)

    def needed(self, topic: str) -> dict[int, int]:
        """Partition → after which offset spans are of traces that are not decided."""
        return self._places("needed", topic)

    def _places(self, column: str, topic: str) -> dict[int, int]:
        with self._lock, failures_of(self._path):
            return dict(
                self._db.execute(f"SELECT partition, {column} FROM offsets WHERE topic = ?", (topic,)).fetchall()  # noqa: S608
            )

    def dropped(self) -> Iterator[Dropped]:
        """The keys of traces that were not kept, step by step, the oldest first."""
        with self._lock, failures_of(self._path):
            rows = self._db.execute("SELECT step, keys FROM dropped ORDER BY step").fetchall()
        for step, keys in rows:
            yield Dropped(step, [keys[at : at + _KEY_BYTES] for at in range(0, len(keys), _KEY_BYTES)])

    def kept(self, limit: int) -> list[bytes]:
        """The keys of the journeys kept last, the newest first."""
        with self._lock, failures_of(self._path):
            rows = self._db.execute("SELECT key FROM journeys ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return [key for (key,) in rows]

    def expire(self, older_than_s: float, org: str | None = None) -> int:
        """Delete journeys and calls from before that, some per transaction, and give their disk back."""
        which, values = (
            ("start_s < ?", [older_than_s]) if org is None else ("start_s < ? AND org = ?", [older_than_s, org])
        )
        deleted = 0
        while gone := self._delete(f"{which} ORDER BY start_s", values, _EXPIRE_ROWS_MAX):
            deleted += gone
        with self._lock, failures_of(self._path):
            for table in ("calls", "call_hours"):
                self._db.execute(f"DELETE FROM {table} WHERE {which}", values)  # noqa: S608
            give_back(self._db)
        return deleted

    def trim(self, bytes_max: int) -> int:
        """When more than `bytes_max` is used, delete the oldest journeys, and minutes of calls from before those left.
        Returns how many journeys."""
        deleted = 0
        if self.bytes_used <= bytes_max:
            return 0
        while self.bytes_used > bytes_max * _TRIM_TO:
            gone = self._delete("TRUE ORDER BY start_s", (), _EXPIRE_ROWS_MAX)
            deleted += gone
            if not self._delete_calls_before_journeys() and not gone:
                break
        with self._lock, failures_of(self._path):
            give_back(self._db)
        return deleted

    def _delete(self, which: str, values: Sequence[object], rows_max: int) -> int:
        with self._lock, failures_of(self._path), transaction(self._db):
            rows = self._db.execute(f"SELECT id FROM journeys WHERE {which} LIMIT ?", (*values, rows_max)).fetchall()  # noqa: S608
            self._db.executemany("DELETE FROM spans WHERE journey = ?", rows)
            self._db.executemany("DELETE FROM participants WHERE id = ?", rows)
            self._db.executemany("DELETE FROM journeys WHERE id = ?", rows)
        return len(rows)

    def _delete_calls_before_journeys(self) -> int:
        """Of an hour that has no journeys any more, oldest first where there are none at all. Returns how many rows."""
        with self._lock, failures_of(self._path), transaction(self._db):
            (oldest_s,) = self._db.execute("SELECT min(start_s) FROM journeys").fetchone()
            if oldest_s is None:
                (oldest_s,) = self._db.execute("SELECT min(start_s) FROM call_hours").fetchone()
                oldest_s = (oldest_s or 0.0) + _HOUR_S
            return sum(
                self._db.execute(f"DELETE FROM {table} WHERE start_s < ?", (oldest_s - oldest_s % _HOUR_S,)).rowcount  # noqa: S608
                for table in ("calls", "call_hours")
            )

    @property
    def bytes_used(self) -> int:
        with self._lock, failures_of(self._path):
            return bytes_used(self._db)

    # --- reading ---------------------------------------------------------------------------------------------

    def load(self, org: str, trace_id: str) -> Stored | None:
        with self._lock, failures_of(self._path):
            row = self._db.execute(_LOAD, (trace_key(org, trace_id),)).fetchone()
        if row is None:
            return None
        spans = decode_spans(bytes(cramjam.zstd.decompress(row[1])))
        return Stored(_decode_summary(row[0]), tuple(spans))

    def search(self, ask: JourneyAsk, limit: int, cursor: str = "") -> JourneyPage:
        """Newest first. A page may be short, and have a cursor, where few of very many fit."""
        before = read_cursor(cursor)
        with self._lock, failures_of(self._path):
            rows, ended = page(self._db, ask, limit, before)
        found = [_decode_summary(row[2]) for row in rows[:limit]]
        if len(rows) > limit:
            return JourneyPage(found, cursor_of(rows[limit - 1][:2]))
        return JourneyPage(found, cursor_of(ended) if ended is not None else "")

    def calls(self, org: str, from_s: float, until_s: float) -> Sequence[CallMinute]:
        """Whole hours of a long range are read as such, its ends by the minute."""
        first_s, last_s = from_s + -from_s % _HOUR_S, until_s - until_s % _HOUR_S
        pieces = [("calls", from_s, until_s)]
        if first_s < last_s:
            pieces = [("calls", from_s, first_s), ("call_hours", first_s, last_s), ("calls", last_s, until_s)]
        with self._lock, failures_of(self._path):
            rows = [
                row
                for table, begin_s, end_s in pieces
                for row in self._db.execute(_CALLS.format(table=table), (org, begin_s, end_s))
            ]
        return [CallMinute(Call(*row[:5]), *row[5:]) for row in rows]

    def callers(self, since_s: float, limit: int) -> Sequence[tuple[Call, float]]:
        """Of one org after the other: the index is by org first."""
        found: list[tuple[Call, float]] = []
        org: str | None = None
        with self._lock, failures_of(self._path):
            while len(found) < limit:
                query, given = (_NEXT_ORG, (org,)) if org is not None else ("SELECT min(org) FROM calls", ())
                (org,) = self._db.execute(query, given).fetchone()
                if org is None:
                    break
                rows = self._db.execute(_CALLERS, (org, since_s, limit - len(found)))
                found += [(Call(*row[:5]), float(row[5])) for row in rows]
        return found

    def counts(self) -> dict[str, int]:
        """What became of spans and traces, since ever."""
        with self._lock, failures_of(self._path):
            return dict(self._db.execute("SELECT what, items FROM counts").fetchall())

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _compressed(stored: Stored) -> bytes:
    return bytes(cramjam.zstd.compress(encode_spans(stored.spans), _ZSTD_LEVEL))


def _call_row(minute: CallMinute, span_s: int) -> tuple[object, ...]:
    call, start_s = minute.call, minute.start_s - minute.start_s % span_s
    who = (call.caller, call.caller_environment, call.callee, call.callee_environment)
    return call.org, start_s, *who, minute.requests, minute.errors, minute.latency
