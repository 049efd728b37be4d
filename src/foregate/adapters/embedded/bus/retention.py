"""Deleting what is old, and the oldest where the log is too large: in steps so small that no appender waits long."""

import sqlite3
import time
from collections.abc import Mapping
from typing import NamedTuple

from foregate.adapters.embedded.bus.file import BusFile
from foregate.kernel.clock import Clock
from foregate.ports.bus import Trimmed

_STEP_BATCHES_MAX = 500  # per transaction: appenders wait no longer than one such
_STEP_BYTES = 4_194_304  # likewise: about that much in one
_REST_S = 0.002  # between two of them: locks are not fair, and whoever waits shall get its turn
_TRIM_TO = 0.95  # of the bound, so that there is a rest between two trims
_AHEAD_S = 60.0  # a clock is set back by less all the time, and nothing expires so early
_AHEAD_FOR_S = 3_600.0  # until times ahead are believed to be wrong: it may be the clock, and for a moment
_PRODUCER_MEMORY_S = 90 * 86_400.0  # a producer silent for so long is forgotten; its spool would be as old


class _Step(NamedTuple):
    """What one transaction deletes: the batches of a partition up to this offset."""

    until: int
    batches: int
    items: int


class Retention:
    """Of one handle, which sees so for how long batches have been ahead of the clock."""

    def __init__(self, file: BusFile, clock: Clock, partitions: int) -> None:
        self._file = file
        self._clock = clock
        self._partitions = partitions
        self._ahead_since_s: dict[tuple[str, int], float] = {}  # (topic, partition) → monotonic; bounded by the topics

    def expire(self, topic: str, older_than_s: float) -> int:
        """Delete batches appended before `older_than_s`. Returns how many."""
        deleted = 0
        for partition in range(self._partitions):
            if self._is_ahead(topic, partition):
                self._pull_back(topic, partition)
            while (gone := self._expire_some(topic, partition, older_than_s)) > 0:
                deleted += gone
                time.sleep(_REST_S)
        with self._file.writing() as db:
            db.execute("DELETE FROM producers WHERE time_s < ?", (self._clock.now() - _PRODUCER_MEMORY_S,))
        return deleted

    def _is_ahead(self, topic: str, partition: int) -> bool:
        """Whether the newest batch has been ahead of the clock for long: else that may have been set wrong just now."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT time_s FROM heads WHERE topic = ? AND partition = ?", (topic, partition)
            ).fetchone()
        if row is None or row[0] <= self._clock.now() + _AHEAD_S:
            self._ahead_since_s.pop((topic, partition), None)
            return False
        now_s = self._clock.monotonic()
        return now_s - self._ahead_since_s.setdefault((topic, partition), now_s) >= _AHEAD_FOR_S

    def _pull_back(self, topic: str, partition: int) -> None:
        """Give the batches that are ahead of the clock its time, the oldest first, so that time never goes back."""
        now_s, after, place = self._clock.now(), -1, (topic, partition)
        while True:
            with self._file.writing() as db:
                ahead = db.execute(
                    "SELECT offset FROM batches INDEXED BY batches_by_offset "
                    "WHERE topic = ? AND partition = ? AND offset > ? AND time_s > ? ORDER BY offset LIMIT ?",
                    (*place, after, now_s, _STEP_BATCHES_MAX),
                ).fetchall()
                if not ahead:  # nor can there be new ones before the head is pulled back, too
                    db.execute("UPDATE heads SET time_s = ? WHERE topic = ? AND partition = ?", (now_s, *place))
                    break
                db.execute(
                    "UPDATE batches SET time_s = ? WHERE topic = ? AND partition = ? AND offset BETWEEN ? AND ?",
                    (now_s, *place, ahead[0][0], ahead[-1][0]),
                )
                after = ahead[-1][0]

    def _expire_some(self, topic: str, partition: int, older_than_s: float) -> int:
        with self._file.reading() as db:  # appends only add younger ones, so what is found may be deleted afterwards
            (border,) = db.execute(
                "SELECT coalesce(min(offset), 1 << 62) FROM batches INDEXED BY batches_by_offset "
                "WHERE topic = ? AND partition = ? AND time_s >= ?",
                (topic, partition, older_than_s),
            ).fetchone()
            step = _oldest(db, topic, partition, border - 1, _STEP_BYTES)
        if step.batches:
            with self._file.writing() as db:
                _delete(db, topic, partition, step.until)
        return step.batches

    def trim(self, topic: str, bytes_max: int, read_to: Mapping[int, int], *, unread: bool) -> Trimmed:
        """When more than `bytes_max` is used, delete the oldest batches: those first that all readers have read.

        Others go only if `unread`, and not while other topics alone take more than that: it would not help.
        """
        batches = items = lost = 0
        while (used := self._file.bytes_used) > bytes_max * (_TRIM_TO if batches else 1.0):
            gone = self._trim_some(topic, used - bytes_max * _TRIM_TO, bytes_max, read_to, unread)
            if gone.batches == 0:
                break
            batches += gone.batches
            items += gone.items
            lost += gone.unread_items
            time.sleep(_REST_S)
        return Trimmed(batches, items, lost)

    def _trim_some(
        self, topic: str, excess: float, bytes_max: int, read_to: Mapping[int, int], unread: bool
    ) -> Trimmed:
        """Delete about `excess` bytes, at most a step, of the partition whose turn it is."""
        nothing = Trimmed(0, 0, 0)
        with self._file.writing() as db:
            turn = self._turn(db, topic, read_to)
            if turn is None:
                return nothing
            partition, until, was_read = turn
            if not was_read and (not unread or _bytes_of_others(db, topic) >= bytes_max):
                return nothing
            step = _oldest(db, topic, partition, until, min(excess, _STEP_BYTES))
            _delete(db, topic, partition, step.until)
            lost = 0 if was_read else step.items
            if lost:
                db.execute(
                    "UPDATE heads SET lost = lost + ? WHERE topic = ? AND partition = ?", (lost, topic, partition)
                )
        return Trimmed(step.batches, step.items, lost)

    def _turn(self, db: sqlite3.Connection, topic: str, read_to: Mapping[int, int]) -> tuple[int, int, bool] | None:
        """(partition, last offset that may go, whether it was read) of the oldest batch; None when there is none."""
        query = (
            "SELECT time_s, partition, offset FROM batches INDEXED BY batches_by_offset "
            "WHERE topic = ? AND partition = ? ORDER BY offset LIMIT 1"
        )
        found = (db.execute(query, (topic, partition)).fetchone() for partition in range(self._partitions))
        heads = [head for head in found if head is not None]
        read = [head for head in heads if head[2] <= read_to.get(head[1], -1)]
        if not heads:
            return None
        partition = min(read or heads)[1]
        return partition, read_to[partition] if read else 1 << 62, bool(read)


def _oldest(db: sqlite3.Connection, topic: str, partition: int, until: int, size: float) -> _Step:
    """The oldest batches up to offset `until`, at least one where there is one, until they are `size` bytes."""
    rows = db.execute(
        "SELECT offset, items, length(payload) FROM batches INDEXED BY batches_by_offset "
        "WHERE topic = ? AND partition = ? AND offset <= ? ORDER BY offset LIMIT ?",
        (topic, partition, until, _STEP_BATCHES_MAX),
    )
    last, count, items = -1, 0, 0
    for offset, of, payload_bytes in rows:
        last, count, items, size = offset, count + 1, items + of, size - payload_bytes
        if size <= 0:
            break
    return _Step(last, count, items)


def _delete(db: sqlite3.Connection, topic: str, partition: int, until: int) -> None:
    db.execute("DELETE FROM batches WHERE topic = ? AND partition = ? AND offset <= ?", (topic, partition, until))


def _bytes_of_others(db: sqlite3.Connection, topic: str) -> int:
    """Of the payloads in all other topics: quick when they have been trimmed before."""
    size = "SELECT coalesce(sum(length(payload)), 0) FROM batches INDEXED BY batches_by_offset WHERE topic"
    return int(db.execute(f"SELECT ({size} < ?) + ({size} > ?)", (topic, topic)).fetchone()[0])
