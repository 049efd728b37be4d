"""The tables of journeys.sqlite."""

_CALLS = """(
    org TEXT NOT NULL, start_s REAL NOT NULL, caller TEXT NOT NULL, caller_environment TEXT NOT NULL,
    callee TEXT NOT NULL, callee_environment TEXT NOT NULL, requests INTEGER NOT NULL, errors INTEGER NOT NULL,
    latency BLOB NOT NULL,
    PRIMARY KEY (org, start_s, caller, caller_environment, callee, callee_environment)
) WITHOUT ROWID"""

MIGRATIONS = (
    f"""
    CREATE TABLE journeys (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, org TEXT NOT NULL, start_s REAL NOT NULL,
        duration_ms REAL NOT NULL, route TEXT NOT NULL, failed INTEGER NOT NULL, summary BLOB NOT NULL
    );
    CREATE INDEX journeys_by_start ON journeys (org, start_s, id);
    CREATE INDEX journeys_failed ON journeys (org, start_s, id) WHERE failed = 1;
    CREATE INDEX journeys_by_age ON journeys (start_s);
    CREATE TABLE spans (journey INTEGER PRIMARY KEY, spans BLOB NOT NULL);
    CREATE TABLE participants (
        org TEXT NOT NULL, service TEXT NOT NULL, start_s REAL NOT NULL, id INTEGER NOT NULL, environment TEXT NOT NULL,
        PRIMARY KEY (org, service, start_s, id, environment)
    ) WITHOUT ROWID;
    CREATE INDEX participants_by_journey ON participants (id, environment);
    CREATE TABLE calls {_CALLS};
    CREATE TABLE call_hours {_CALLS};
    CREATE TABLE dropped (step INTEGER PRIMARY KEY, keys BLOB NOT NULL);
    CREATE TABLE offsets (
        topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, needed INTEGER NOT NULL,
        PRIMARY KEY (topic, partition)
    ) WITHOUT ROWID;
    CREATE TABLE counts (what TEXT PRIMARY KEY, items INTEGER NOT NULL) WITHOUT ROWID
    """,
)
