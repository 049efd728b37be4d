"""psycopg's errors as OSErrors with the server's name and the way out."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict


class Unreachable(OSError):
    """The server does not answer, or not in time: it may do so again."""


class Refused(OSError):
    """The server, its schema or its rights are not as they must be: waiting will not help, a person must look."""


# What a server says before there is a connection comes without a code (SQLSTATE). Its words may be translated: then
# the sentence of `Unreachable` is given, with those words.
_AT_THE_DOOR = (
    ("password authentication failed", "check the user and the password in telemetry.store"),
    ("no password supplied", "give the password in telemetry.store, as ${env:NAME}"),
    ("no pg_hba.conf entry", "allow this host in the server's pg_hba.conf"),
    (r'role ".*" does not exist', "create that user, or name another in telemetry.store"),
    (r'database ".*" does not exist', "create that database, or name another in telemetry.store"),
    ("server does not support SSL", "switch TLS on there, or take sslmode out of telemetry.store"),
    ("certificate verify failed|root certificate", "check sslmode, sslrootcert and the host's name in telemetry.store"),
)


def shown(url: str) -> str:
    """Which server and database a URL means, without user and password. Raises Refused when it is no URL of one."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise Refused(f"telemetry.store is not a URL of a PostgreSQL: {_said(error)}") from None  # it may be secret
    host, port = parts.get("host") or "localhost", parts.get("port") or 5432
    return f"PostgreSQL {host}:{port}/{parts.get('dbname') or parts.get('user') or 'postgres'}"


@contextmanager
def failures_of(server: str) -> Iterator[None]:
    """Turn psycopg's errors into OSErrors that begin with `server`."""
    try:
        yield
    except psycopg.Error as error:
        raise _as_os_error(server, error) from error


def _as_os_error(server: str, error: psycopg.Error) -> OSError:
    said = _said(error)
    match error:
        case errors.DiskFull() | errors.OutOfMemory() | errors.ConfigurationLimitExceeded():
            return OSError(errno.ENOSPC, f"{said} (free some there)", server)
        case errors.QueryCanceled():
            return Unreachable(f"{server}: took too long and was stopped there ({said})")
        case errors.LockNotAvailable() | errors.DeadlockDetected() | errors.SerializationFailure():
            return Unreachable(f"{server}: another transaction is in the way ({said}): it is tried again")
        case errors.InsufficientPrivilege():
            return Refused(f"{server}: {said}: the user of telemetry.store must own its tables, and may create them")
        case errors.ReadOnlySqlTransaction():
            return Refused(f"{server} is read-only ({said}): name the primary in telemetry.store")
        case errors.InvalidSchemaName():
            return Refused(f"{server}: {said}: create the schema that search_path names, for its user")
        case errors.UndefinedTable() | errors.UndefinedColumn():
            return Refused(f"{server}: {said}: somebody has changed the schema; put a backup in its place")
        case psycopg.OperationalError() if error.sqlstate is None:
            return _at_the_door(server, said)
        case psycopg.OperationalError():
            return Unreachable(f"{server}: {said}")
    return OSError(f"{server}: {said}")


def _at_the_door(server: str, said: str) -> OSError:
    for words, advice in _AT_THE_DOOR:
        if re.search(words, said):
            return Refused(f"{server}: {said}: {advice}")
    return Unreachable(f"{server} cannot be reached ({said}): is it running, and does telemetry.store name it?")


def _said(error: psycopg.Error) -> str:
    """The error in one line."""
    primary = error.diag.message_primary
    return primary or " ".join(str(error).split()) or type(error).__name__
