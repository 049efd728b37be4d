"""A few connections to one PostgreSQL, shared by the threads of a process.

Settings are made per transaction, so that a pooler of transactions may stand in between. A connection that turns out
broken before its transaction has begun is replaced at once; later the transaction fails as a whole.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import pq, sql

from foregate.adapters.distributed.postgres.failures import Refused, Unreachable, failures_of, shown

CONNECTIONS_MAX = 4  # of one process; for one more a thread waits its turn
TURN_TIMEOUT_S = 30.0  # then it fails
CONNECT_TIMEOUT_S = 5  # per address of the server's name
LOCK_TIMEOUT_S = 10.0  # behind other transactions
READ_TIMEOUT_S = 30.0  # of a statement; the server stops it then
WRITE_TIMEOUT_S = 60.0
SERVER_VERSION_MIN = 140_000

Cursor = psycopg.Cursor[tuple[Any, ...]]
Connection = psycopg.Connection[tuple[Any, ...]]

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"  # all statements see the same moment
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
# A server that has lost power, or a network that drops all, must be noticed within a minute.
_KEEPALIVE = {"keepalives_idle": 20, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 50_000}


class Database:
    """`url`: postgresql://user:password@host:port/name?sslmode=verify-full and whatever else libpq knows."""

    def __init__(self, url: str) -> None:
        self.server = shown(url)
        self._url = url
        self._turns = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False

    @contextmanager
    def reading(self, timeout_s: float = READ_TIMEOUT_S) -> Iterator[Cursor]:
        """A read-only transaction; all of it sees one moment. Raises OSError."""
        with self._transaction(_READ, timeout_s) as cursor:
            yield cursor

    @contextmanager
    def writing(self, timeout_s: float = WRITE_TIMEOUT_S, *, lock_s: float = LOCK_TIMEOUT_S) -> Iterator[Cursor]:
        """All or nothing, durable when it ends. Raises OSError; then it is not stored, or (when the connection broke in
        the very moment of the commit) it is: who must know looks."""
        with self._transaction(_WRITE, timeout_s, lock_s) as cursor:
            yield cursor

    def close(self) -> None:
        """Close what is idle, and what is in use when its transaction ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _transaction(self, begin: str, timeout_s: float, lock_s: float = LOCK_TIMEOUT_S) -> Iterator[Cursor]:
        if not self._turns.acquire(timeout=TURN_TIMEOUT_S):
            raise Unreachable(f"{self.server}: all {CONNECTIONS_MAX} connections are busy")
        try:
            with failures_of(self.server):
                connection = self._begun(
                    f"{begin}; SET LOCAL statement_timeout = {timeout_s * 1000:.0f}; "
                    f"SET LOCAL lock_timeout = {lock_s * 1000:.0f}"
                )
                try:
                    with connection.cursor(binary=True) as cursor:
                        yield cursor
                    self._commit(connection)
                finally:
                    self._give_back(connection)
        finally:
            self._turns.release()

    def _begun(self, begin: str) -> Connection:
        """A connection in a new transaction. One that was idle may have ended with its server: then all have."""
        statement = sql.SQL(begin)
        connection = self._take()
        if connection is not None:
            try:
                connection.execute(statement)
                return connection
            except psycopg.OperationalError:
                connection.close()
                self._forget()
        connection = self._connect()
        try:
            connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection

    def _commit(self, connection: Connection) -> None:
        if connection.execute("COMMIT").statusmessage != "COMMIT":
            raise OSError(f"{self.server}: the transaction was rolled back")

    def _give_back(self, connection: Connection) -> None:
        """Keep it when it is well; in the middle of a transaction, that one is undone."""
        if connection.info.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
            try:
                connection.execute("ROLLBACK")
            except psycopg.Error:  # the server undoes it when the connection is gone
                connection.close()
        with self._lock:
            if connection.info.transaction_status == pq.TransactionStatus.IDLE and not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _forget(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self) -> Connection:
        connection: Connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=None, **self._defaults())
        if connection.info.server_version < SERVER_VERSION_MIN:
            connection.close()
            raise Refused(f"{self.server} is older than version 14: upgrade it")
        if connection.info.parameter_status("server_encoding") != "UTF8":
            connection.close()
            raise Refused(f"{self.server}: its encoding is not UTF8: create another database with it")
        return connection

    def _defaults(self) -> dict[str, Any]:
        """What holds unless the URL says otherwise."""
        defaults = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "foregate", **_KEEPALIVE}
        given = psycopg.conninfo.conninfo_to_dict(self._url)
        return {name: value for name, value in defaults.items() if name not in given} | {"client_encoding": "utf8"}
