"""The tables of a store, brought up to date when it is opened: by one process at a time, in one transaction."""

from collections.abc import Callable, Sequence

from psycopg import sql

from foregate.adapters.distributed.postgres.database import Cursor, Database
from foregate.adapters.distributed.postgres.failures import Refused
from foregate.adapters.distributed.postgres.partitions import Layout, Native
from foregate.adapters.distributed.postgres.timescale import Timescale

Migration = Callable[[Cursor, Layout], None]  # from version n to n + 1

_VERSIONS = "CREATE TABLE foregate_stores (store text PRIMARY KEY, version integer NOT NULL, layout text NOT NULL)"
# Not to_regclass: that may answer from before another process made it, while we waited for our turn.
_MADE = (
    "SELECT EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE relname = 'foregate_stores' AND nspname = current_schema())"
)
_LAYOUTS: dict[str, Layout] = {"native": Native(), "timescale": Timescale()}


def opened(
    url: str, store: str, migrations: Sequence[Migration], also: Callable[[Database], None] | None = None
) -> tuple[Database, Layout]:
    """The database, once the tables of `store` are up to date and `also` is done. Raises OSError."""
    database = Database(url)
    try:
        layout = migrated(database, store, migrations)
        if also is not None:
            also(database)
    except BaseException:
        database.close()
        raise
    return database, layout


def migrated(database: Database, store: str, migrations: Sequence[Migration]) -> Layout:
    """Bring the tables of `store` up to date. Returns how they are laid out, which is decided once, when they are made.

    Who has to change nothing needs no right to. Raises Refused for a newer schema, or another OSError.
    """
    with database.reading() as cursor:
        version, layout = _found(cursor, store)
    if version == len(migrations):
        return _LAYOUTS[layout]
    with database.writing() as cursor:
        alone(cursor, "schema")
        version, layout = _found(cursor, store)  # another process may have come first
        if version > len(migrations):
            raise Refused(
                f"{database.server}: {store} was written by a newer foregate (schema {version}, this one knows "
                f"{len(migrations)}): install that version again, or give this one a database of its own"
            )
        if not layout:
            layout = "timescale" if _has_timescale(cursor) else "native"
        for migration in migrations[version:]:
            migration(cursor, _LAYOUTS[layout])
        _remember(cursor, store, len(migrations), layout)
    return _LAYOUTS[layout]


def alone(cursor: Cursor, what: str) -> None:
    """Wait for other transactions that do the same in this schema, and keep new ones waiting until this one ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s || current_schema(), 0))", (f"foregate {what} ",))


def statements(text: str) -> Migration:
    """A migration of plain statements, the same in every layout."""

    def run(cursor: Cursor, layout: Layout) -> None:
        for statement in text.split(";"):
            cursor.execute(sql.SQL(statement))

    return run


def _found(cursor: Cursor, store: str) -> tuple[int, str]:
    if not _one(cursor, _MADE):
        return 0, ""
    cursor.execute("SELECT version, layout FROM foregate_stores WHERE store = %s", (store,))
    row = cursor.fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def _remember(cursor: Cursor, store: str, version: int, layout: str) -> None:
    if not _one(cursor, _MADE):
        cursor.execute(_VERSIONS)
    cursor.execute(
        "INSERT INTO foregate_stores VALUES (%s, %s, %s) ON CONFLICT (store) DO UPDATE SET version = excluded.version",
        (store, version, layout),
    )


def _has_timescale(cursor: Cursor) -> bool:
    """Whether it was created in this database: that it could be is for its owner to decide."""
    return bool(_one(cursor, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"))


def _one(cursor: Cursor, query: str) -> object:
    row = cursor.execute(sql.SQL(query)).fetchone()
    return row[0] if row else None
