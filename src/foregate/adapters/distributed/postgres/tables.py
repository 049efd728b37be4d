"""The tables of the series store. A window's numbers are columns, so that people may ask for them in SQL."""

from psycopg import sql

from foregate.adapters.distributed.postgres.database import Cursor
from foregate.adapters.distributed.postgres.partitions import Divided, Layout
from foregate.adapters.distributed.postgres.schema import Migration, statements
from foregate.wire.window import ROLLED_UP_FROM, SPANS_S

DAY_S = 86_400
_WIDTH_S = {3_600: 30 * DAY_S, 86_400: 365 * DAY_S}  # of a part, where a day has too few rows
WINDOWS = {
    span_s: Divided(f"windows_{span_s}", "start_at", _WIDTH_S.get(span_s, DAY_S))
    for span_s in (*SPANS_S, *ROLLED_UP_FROM)
}
# In the order of `WindowStats`, behind its start and span. How it is added up over windows, "" where that is nonsense.
NUMBERS = {
    "requests": ("bigint", "sum"),
    "errors": ("bigint", "sum"),
    "timeouts": ("bigint", "sum"),
    "client_errors": ("bigint", "sum"),
    "limited": ("bigint", "sum"),
    "broken": ("bigint", "sum"),
    "retries": ("bigint", "sum"),
    "request_bytes": ("bigint", "sum"),
    "response_bytes": ("bigint", "sum"),
    "inflight_max": ("bigint", "max"),
    "mean_ms": ("double precision", ""),
    "p50_ms": ("double precision", ""),
    "p95_ms": ("double precision", ""),
    "p99_ms": ("double precision", ""),
    "upstream_mean_ms": ("double precision", ""),
    "p90_ms": ("double precision", ""),
    "p999_ms": ("double precision", ""),
    "max_ms": ("double precision", "max"),
    "upstream_limited": ("bigint", "sum"),
    "waits": ("bigint", "sum"),
    "wait_us": ("bigint", "sum"),
    "model_requests": ("bigint", "sum"),
    "model_failures": ("bigint", "sum"),
    "tokens": ("bigint", "sum"),
    "first_tokens": ("bigint", "sum"),
    "first_token_us": ("bigint", "sum"),
}
_AT_FIRST, _WITH_SIGNALS = 18, 26  # how many of these the tables were made with; up to where `_signals` adds more
SKETCHES = ("latency", "upstream", "facets")
COLUMNS = ("start_at", "entity", *NUMBERS, *SKETCHES)

_STORED = "".join(f"{name} {kind} NOT NULL, " for name, (kind, _) in list(NUMBERS.items())[:_AT_FIRST]) + "".join(
    f"{name} bytea NOT NULL, " for name in SKETCHES
)
_OTHERS = f"""
    CREATE TABLE entities (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, digest bytea NOT NULL UNIQUE, org text COLLATE "C" NOT NULL,
        service text COLLATE "C" NOT NULL, route text COLLATE "C" NOT NULL, environment text COLLATE "C" NOT NULL
    );
    CREATE TABLE stale (
        mark bigint GENERATED ALWAYS AS IDENTITY, span_s integer, start_s bigint, entity bigint,
        PRIMARY KEY (span_s, start_s, entity)
    );
    CREATE TABLE totals (
        span_s integer, start_s bigint, org text COLLATE "C", environment text COLLATE "C", {_STORED}
        PRIMARY KEY (span_s, start_s, org, environment)
    );
    CREATE TABLE untotalled (start_s bigint PRIMARY KEY);
    CREATE TABLE series_offsets (
        topic text, partition integer, read_to bigint NOT NULL, PRIMARY KEY (topic, partition)
    );
    CREATE TABLE series_counts (outcome text PRIMARY KEY, items bigint NOT NULL);
    CREATE TABLE usage (
        hour_s bigint NOT NULL, key_id text COLLATE "C" NOT NULL, service text COLLATE "C" NOT NULL,
        model text COLLATE "C" NOT NULL,
        requests bigint NOT NULL, estimated bigint NOT NULL, input_tokens bigint NOT NULL,
        output_tokens bigint NOT NULL, cached_tokens bigint NOT NULL, cost double precision NOT NULL
    );
    CREATE UNIQUE INDEX ON usage (hour_s, md5(key_id), md5(service), md5(model))
"""


def _windows(cursor: Cursor, layout: Layout) -> None:
    columns = f"start_at timestamptz, entity bigint, {_STORED} PRIMARY KEY (start_at, entity)"
    for divided in WINDOWS.values():
        layout.divide(cursor, divided, sql.SQL(columns))
        cursor.execute(sql.SQL("CREATE INDEX ON {} (entity, start_at)").format(sql.Identifier(divided.table)))


def _signals(cursor: Cursor, layout: Layout) -> None:
    """Waits, models, and limits of what is asked. A constant default: no row is written anew for it."""
    added = list(NUMBERS.items())[_AT_FIRST:_WITH_SIGNALS]
    columns = ", ".join(f"ADD COLUMN {name} {kind} NOT NULL DEFAULT 0" for name, (kind, _) in added)
    for table in ("totals", *(divided.table for divided in WINDOWS.values())):
        cursor.execute(sql.SQL(f"ALTER TABLE {{}} {columns}").format(sql.Identifier(table)))


MIGRATIONS: tuple[Migration, ...] = (statements(_OTHERS), _windows, _signals)
