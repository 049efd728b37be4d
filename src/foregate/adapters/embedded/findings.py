"""Verdicts on one machine: an SQLite file with every risk (for its history), each anomaly and each alert, and the
newest state of each objective and each forecast."""

import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from foregate.adapters.embedded.database import failures_of, open_database, transaction
from foregate.ports.findings import FindingsReader, FindingsWriter
from foregate.wire.alert import Alert, AlertState
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity
from foregate.wire.forecast import Forecast
from foregate.wire.objective import ObjectiveState
from foregate.wire.risk import Risk

_EXPIRE_ROWS_MAX = 5_000  # per transaction
_AHEAD_S = 300.0  # a verdict that another lies further ahead of is no late one: the clock was set back

# An entity is its four names joined by U+001F, which no name holds: one column, one index.
_MIGRATIONS = (
    """
    CREATE TABLE risks (
        entity TEXT NOT NULL, time_s REAL NOT NULL, verdict BLOB NOT NULL, PRIMARY KEY (entity, time_s)
    ) WITHOUT ROWID;
    CREATE INDEX risks_by_time ON risks (time_s);
    CREATE TABLE latest (
        entity TEXT PRIMARY KEY, time_s REAL NOT NULL, score REAL, verdict BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE anomalies (id TEXT PRIMARY KEY, started_s REAL NOT NULL, ended_s REAL, finding BLOB NOT NULL);
    CREATE INDEX anomalies_by_start ON anomalies (started_s);
    CREATE TABLE alerts (id TEXT PRIMARY KEY, raised_s REAL NOT NULL, state TEXT NOT NULL, finding BLOB NOT NULL);
    CREATE INDEX alerts_by_raise ON alerts (raised_s, id);
    CREATE INDEX alerts_by_state ON alerts (state, raised_s, id)
    """,
    """
    CREATE TABLE objectives (entity TEXT PRIMARY KEY, time_s REAL NOT NULL, state BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE forecasts (
        entity TEXT NOT NULL, metric TEXT NOT NULL, step_s INTEGER NOT NULL, made_s REAL NOT NULL,
        forecast BLOB NOT NULL, PRIMARY KEY (entity, metric, step_s)
    )
    """,
)

_encode = msgspec.msgpack.Encoder().encode
_decode_risk = msgspec.msgpack.Decoder(Risk).decode
_decode_anomaly = msgspec.msgpack.Decoder(Anomaly).decode
_decode_alert = msgspec.msgpack.Decoder(Alert).decode
_decode_objective = msgspec.msgpack.Decoder(ObjectiveState).decode
_decode_forecast = msgspec.msgpack.Decoder(Forecast).decode


def _name(entity: Entity) -> str:
    return f"{entity.org}\x1f{entity.service}\x1f{entity.route}\x1f{entity.environment}"


class EmbeddedFindings(FindingsWriter, FindingsReader):
    """Keeps both Protocols of `foregate.ports.findings` in the file at `path`. Threads may share one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db = open_database(path, _MIGRATIONS, durable=True)

    def put_risks(self, risks: Sequence[Risk]) -> None:
        """Add to the history; the newest per entity is what `latest_risks` gives, until the clock is set back."""
        rows = [(_name(risk.entity), risk.time_s, risk.score, _encode(risk)) for risk in risks]
        with self._lock, failures_of(self._path), transaction(self._db):
            self._db.executemany(
                "INSERT OR REPLACE INTO risks VALUES (?, ?, ?)", [(name, at, blob) for name, at, _, blob in rows]
            )
            self._db.executemany(
                "INSERT INTO latest VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET time_s = excluded.time_s, "
                "score = excluded.score, verdict = excluded.verdict "
                "WHERE excluded.time_s >= time_s OR excluded.time_s < time_s - ?",
                [(*row, _AHEAD_S) for row in rows],
            )

    def put_anomalies(self, anomalies: Sequence[Anomaly]) -> None:
        """Insert, or replace what has the same id."""
        rows = [(one.id, one.started_s, one.ended_s, _encode(one)) for one in anomalies]
        with self._lock, failures_of(self._path), transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO anomalies VALUES (?, ?, ?, ?)", rows)

    def put_alerts(self, alerts: Sequence[Alert]) -> None:
        """Insert, or replace what has the same id."""
        rows = [(one.id, one.raised_s, one.state, _encode(one)) for one in alerts]
        with self._lock, failures_of(self._path), transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?)", rows)

    def put_objectives(self, states: Sequence[ObjectiveState]) -> None:
        """The newest of each entity stands."""
        rows = [(_name(one.entity), one.time_s, _encode(one)) for one in states]
        with self._lock, failures_of(self._path), transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO objectives VALUES (?, ?, ?)", rows)

    def put_forecasts(self, forecasts: Sequence[Forecast]) -> None:
        """The newest of each entity, metric and step stands."""
        rows = [(_name(one.entity), one.metric, one.step_s, one.made_s, _encode(one)) for one in forecasts]
        with self._lock, failures_of(self._path), transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO forecasts VALUES (?, ?, ?, ?, ?)", rows)

    def expire(self, older_than_s: float) -> int:
        """Delete risks, ended anomalies, closed alerts, objectives and forecasts from before. Open ones stay. Returns
        how many rows."""
        return (
            self._expire_risks(older_than_s)
            + self._delete("DELETE FROM latest WHERE time_s < ?", older_than_s)
            + self._delete("DELETE FROM anomalies WHERE started_s < ? AND ended_s IS NOT NULL", older_than_s)
            + self._delete("DELETE FROM alerts WHERE raised_s < ? AND state = 'closed'", older_than_s)
            + self._delete("DELETE FROM objectives WHERE time_s < ?", older_than_s)
            + self._delete("DELETE FROM forecasts WHERE made_s < ?", older_than_s)
        )

    def _expire_risks(self, older_than_s: float) -> int:
        deleted = 0
        while True:
            with self._lock, failures_of(self._path):
                gone = self._db.execute(
                    "DELETE FROM risks WHERE (entity, time_s) IN "
                    "(SELECT entity, time_s FROM risks WHERE time_s < ? ORDER BY time_s LIMIT ?)",
                    (older_than_s, _EXPIRE_ROWS_MAX),
                ).rowcount
            deleted += gone
            if gone < _EXPIRE_ROWS_MAX:
                return deleted

    def _delete(self, statement: str, older_than_s: float) -> int:
        with self._lock, failures_of(self._path):
            return self._db.execute(statement, (older_than_s,)).rowcount

    def latest_risks(self) -> list[Risk]:
        """The newest verdict per entity, highest score first, then those without a score."""
        return [
            _decode_risk(blob) for blob in self._blobs("SELECT verdict FROM latest ORDER BY score DESC, entity", ())
        ]

    def risk_history(self, entity: Entity, from_s: float, until_s: float) -> list[Risk]:
        """Verdicts with from_s ≤ time < until_s, oldest first."""
        query = "SELECT verdict FROM risks WHERE entity = ? AND time_s >= ? AND time_s < ? ORDER BY time_s"
        return [_decode_risk(blob) for blob in self._blobs(query, (_name(entity), from_s, until_s))]

    def anomalies(self, *, from_s: float, limit: int) -> list[Anomaly]:
        """Those that started at or after `from_s`, newest first."""
        query = "SELECT finding FROM anomalies WHERE started_s >= ? ORDER BY started_s DESC, id DESC LIMIT ?"
        return [_decode_anomaly(blob) for blob in self._blobs(query, (from_s, limit))]

    def open_anomalies(self) -> list[Anomaly]:
        """All that have not ended, whenever they began. Looks at every anomaly that is kept."""
        query = "SELECT finding FROM anomalies WHERE ended_s IS NULL ORDER BY started_s, id"
        return [_decode_anomaly(blob) for blob in self._blobs(query, ())]

    def unresolved_alerts(self) -> list[Alert]:
        """All alerts of a risk that are open, or whose outcome is. Looks at every alert that is kept."""
        alerts = (_decode_alert(blob) for blob in self._blobs("SELECT finding FROM alerts ORDER BY raised_s, id", ()))
        return [one for one in alerts if one.kind == "risk" and (one.state == "open" or one.outcome == "pending")]

    def alerts(self, *, state: AlertState | None, limit: int, before: tuple[float, str] | None) -> list[Alert]:
        """Newest first; `before` is the (raised_s, id) of the last one on the page before."""
        raised_s, number = before if before is not None else (float("inf"), "")
        which, values = ("state = ? AND", (state,)) if state is not None else ("", ())
        query = (
            f"SELECT finding FROM alerts WHERE {which} (raised_s, id) < (?, ?) "  # noqa: S608 - constants alone
            "ORDER BY raised_s DESC, id DESC LIMIT ?"
        )
        return [_decode_alert(blob) for blob in self._blobs(query, (*values, raised_s, number, limit))]

    def objectives(self) -> list[ObjectiveState]:
        """The newest per entity, in order of the entities."""
        return [_decode_objective(blob) for blob in self._blobs("SELECT state FROM objectives ORDER BY entity", ())]

    def forecasts(self, *, entity: Entity | None = None) -> list[Forecast]:
        """The newest of each entity, metric and step, of one entity or all, in order."""
        which, values = ("WHERE entity = ?", (_name(entity),)) if entity is not None else ("", ())
        query = f"SELECT forecast FROM forecasts {which} ORDER BY entity, metric, step_s"  # noqa: S608 - constants
        return [_decode_forecast(blob) for blob in self._blobs(query, values)]

    def _blobs(self, query: str, values: tuple[object, ...]) -> list[bytes]:
        with self._lock, failures_of(self._path):
            return [row[0] for row in self._db.execute(query, values).fetchall()]

    def close(self) -> None:
        with self._lock:
            self._db.close()
