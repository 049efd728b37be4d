"""Decisions on one machine: an SQLite file that analyzer, console and command line write."""

import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from foregate.adapters.embedded.database import failures_of, open_database, transaction
from foregate.ports.verdicts import BLOCKS_MAX, VerdictStore
from foregate.wire.decision import AuditLine, Decision
from foregate.wire.verdicts import MANUAL, Block, RolledBack, Verdicts

_MIGRATIONS = (
    """
    CREATE TABLE decisions (
        id TEXT PRIMARY KEY, subject TEXT NOT NULL, manual INTEGER NOT NULL, effect TEXT NOT NULL,
        made_s REAL NOT NULL, until_s REAL NOT NULL, ended INTEGER NOT NULL, decision BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX decisions_by_end ON decisions (ended, until_s);
    CREATE INDEX decisions_by_subject ON decisions (subject, until_s);
    CREATE INDEX decisions_by_time ON decisions (made_s);
    CREATE TABLE left_alone (subject TEXT PRIMARY KEY, until_s REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE audit (time_s REAL NOT NULL, line BLOB NOT NULL);
    CREATE INDEX audit_by_time ON audit (time_s);
    CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE versions (version INTEGER NOT NULL);
    INSERT INTO versions VALUES (1)
    """,
)
_CANARIES = "canaries"
_encode = msgspec.msgpack.Encoder().encode
_decode_decision = msgspec.msgpack.Decoder(Decision).decode
_decode_line = msgspec.msgpack.Decoder(AuditLine).decode
_decode_canaries = msgspec.msgpack.Decoder(tuple[RolledBack, ...]).decode


class EmbeddedVerdicts(VerdictStore):
    """Keeps `foregate.ports.verdicts.VerdictStore` in the file at `path`. Threads may share one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db = open_database(path, _MIGRATIONS, durable=True)

    def version(self) -> int:
        """Grows with every change of what is in force."""
        with self._lock, failures_of(self._path):
            return self._version()

    def _version(self) -> int:
        return int(self._db.execute("SELECT version FROM versions").fetchone()[0])

    def verdicts(self, now_s: float) -> Verdicts:
        """All that is in force for the workers; those made by hand first, then those that last longest."""
        query = (
            "SELECT decision FROM decisions WHERE ended = 0 AND until_s > ? AND effect = 'block' "
            "ORDER BY manual DESC, until_s DESC LIMIT ?"
        )
        with self._lock, failures_of(self._path), transaction(self._db):
            version = self._version()
            found: list[Block] = [
                _decode_decision(row[0]).block for row in self._db.execute(query, (now_s, BLOCKS_MAX))
            ]
            canaries = self._canaries()
        return Verdicts(version, tuple(found), canaries)

    def in_force(self, now_s: float) -> list[Decision]:
        """Blocks, and those that are only observed; the newest first."""
        query = "SELECT decision FROM decisions WHERE ended = 0 AND until_s > ? ORDER BY made_s DESC, id DESC LIMIT ?"
        return self._decisions(query, now_s, BLOCKS_MAX)

    def recent(self, limit: int) -> list[Decision]:
        """The newest first."""
        return self._decisions("SELECT decision FROM decisions ORDER BY made_s DESC, id DESC LIMIT ?", limit)

    def _decisions(self, query: str, *values: object) -> list[Decision]:
        with self._lock, failures_of(self._path):
            return [_decode_decision(row[0]) for row in self._db.execute(query, values)]

    def times(self, subject: str, since_s: float) -> int:
        """How often detection has blocked a subject, where that ended after `since_s` and nobody has undone it."""
        query = "SELECT count(*) FROM decisions WHERE subject = ? AND until_s > ? AND manual = 0 AND ended = 0"
        with self._lock, failures_of(self._path):
            return int(self._db.execute(query, (subject, since_s)).fetchone()[0])

    def put(self, decisions: Sequence[Decision], line: AuditLine | None = None) -> None:
        """Keep new decisions. One in force on the same subject ends with it."""
        query = "SELECT decision FROM decisions WHERE subject = ? AND until_s > ? AND ended = 0"
        with self._lock, failures_of(self._path), transaction(self._db):
            for decision in decisions:
                for (blob,) in self._db.execute(query, (decision.subject, decision.made_s)).fetchall():
                    self._end(_decode_decision(blob), decision.made_s, decision.id)
                self._store(decision)
            self._log(line)
            self._changed()

    def _store(self, decision: Decision) -> None:
        manual, ended = decision.rule == MANUAL, decision.ended_s is not None
        self._db.execute(
            "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                decision.id,
                decision.subject,
                manual,
                decision.effect,
                decision.made_s,
                decision.until_s,
                ended,
                _encode(decision),
            ),
        )

    def _end(self, decision: Decision, now_s: float, by: str) -> Decision:
        ended = msgspec.structs.replace(decision, ended_s=now_s, ended_by=by)
        self._store(ended)
        return ended

    def _log(self, line: AuditLine | None) -> None:
        if line is not None:
            self._db.execute("INSERT INTO audit VALUES (?, ?)", (line.time_s, _encode(line)))

    def _changed(self) -> None:
        self._db.execute("UPDATE versions SET version = version + 1")

    def undo(self, decision_id: str, line: AuditLine, leave_alone_until_s: float) -> Decision | None:
        """End one that is in force. What was counted against its subject before is forgotten."""
        with self._lock, failures_of(self._path), transaction(self._db):
            row = self._db.execute("SELECT decision FROM decisions WHERE id = ?", (decision_id,)).fetchone()
            decision = _decode_decision(row[0]) if row is not None else None
            if decision is None or not decision.in_force(line.time_s):
                return None
            ended = self._end(decision, line.time_s, line.by)
            self._db.execute("UPDATE decisions SET ended = 1 WHERE subject = ?", (decision.subject,))
            until = (decision.subject, leave_alone_until_s)
            self._db.execute("INSERT OR REPLACE INTO left_alone VALUES (?, ?)", until)
            self._log(line)
            self._changed()
        return ended

    def left_alone(self, now_s: float) -> dict[str, float]:
        """Subject → until when detection leaves it alone."""
        with self._lock, failures_of(self._path):
            return dict(self._db.execute("SELECT subject, until_s FROM left_alone WHERE until_s > ?", (now_s,)))

    def audit(self, limit: int) -> list[AuditLine]:
        """What operators have done, the newest first."""
        with self._lock, failures_of(self._path):
            rows = self._db.execute("SELECT line FROM audit ORDER BY time_s DESC, rowid DESC LIMIT ?", (limit,))
            return [_decode_line(row[0]) for row in rows]

    def roll_back(self, canaries: Sequence[RolledBack]) -> None:
        """These are rolled back from now on; another one of the same route is forgotten."""
        with self._lock, failures_of(self._path), transaction(self._db):
            known = {each.route: each for each in (*self._canaries(), *canaries)}
            self._set_canaries(list(known.values()))

    def resume(self, route: str, line: AuditLine) -> RolledBack | None:
        """A route's canary goes on. None when it was not rolled back."""
        with self._lock, failures_of(self._path), transaction(self._db):
            known = {each.route: each for each in self._canaries()}
            found = known.pop(route, None)
            if found is not None:
                self._set_canaries(list(known.values()))
                self._log(line)
        return found

    def _canaries(self) -> tuple[RolledBack, ...]:
        note = self._note(_CANARIES)
        return _decode_canaries(note) if note else ()

    def _set_canaries(self, canaries: Sequence[RolledBack]) -> None:
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (_CANARIES, _encode(tuple(canaries))))
        self._changed()

    def keep(self, name: str, value: bytes) -> None:
        """A note that outlives a restart."""
        with self._lock, failures_of(self._path):
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def kept(self, name: str) -> bytes | None:
        with self._lock, failures_of(self._path):
            return self._note(name)

    def _note(self, name: str) -> bytes | None:
        row = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row is not None else None

    def expire(self, older_than_s: float) -> int:
        """Delete what is over and was from before."""
        with self._lock, failures_of(self._path), transaction(self._db):
            gone = self._db.execute(
                "DELETE FROM decisions WHERE made_s < ? AND until_s < ?", (older_than_s, older_than_s)
            ).rowcount
            gone += self._db.execute("DELETE FROM audit WHERE time_s < ?", (older_than_s,)).rowcount
            gone += self._db.execute("DELETE FROM left_alone WHERE until_s < ?", (older_than_s,)).rowcount
        return gone

    def close(self) -> None:
        with self._lock:
            self._db.close()
