"""The tables of the series store: `MIGRATIONS[n]` leads from version n to n + 1, and is never changed again."""

MIGRATIONS = (
    """
    CREATE TABLE entities (
        id INTEGER PRIMARY KEY, org TEXT NOT NULL, service TEXT NOT NULL, route TEXT NOT NULL,
        environment TEXT NOT NULL, UNIQUE (org, service, route, environment)
    );
    CREATE TABLE windows (
        span_s INTEGER NOT NULL, start_s REAL NOT NULL, entity INTEGER NOT NULL REFERENCES entities (id),
        stats BLOB NOT NULL, latency BLOB NOT NULL, upstream BLOB NOT NULL,
        PRIMARY KEY (span_s, start_s, entity)
    ) WITHOUT ROWID;
    CREATE INDEX windows_by_entity ON windows (entity, span_s, start_s);
    CREATE TABLE offsets (partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL);
    CREATE TABLE counts (outcome TEXT PRIMARY KEY, items INTEGER NOT NULL) WITHOUT ROWID
    """,
    """
    CREATE TABLE usage (
        hour_s INTEGER NOT NULL, key_id TEXT NOT NULL, service TEXT NOT NULL, model TEXT NOT NULL,
        requests INTEGER NOT NULL, estimated INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, cost REAL NOT NULL,
        PRIMARY KEY (hour_s, key_id, service, model)
    ) WITHOUT ROWID
    """,
    # Offsets per topic; what is rolled up of windows that have changed since (`mark` says in which order they have);
    # facets. Hours and days are made of the quarters of an hour that are here already.
    """
    CREATE TABLE read_to (
        topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (topic, partition)
    ) WITHOUT ROWID;
    INSERT INTO read_to SELECT 'events', partition, offset FROM offsets;
    DROP TABLE offsets;
    ALTER TABLE windows ADD COLUMN facets BLOB NOT NULL DEFAULT x'';
    CREATE TABLE stale (
        mark INTEGER PRIMARY KEY AUTOINCREMENT, span_s INTEGER NOT NULL, start_s INTEGER NOT NULL,
        entity INTEGER NOT NULL, UNIQUE (span_s, start_s, entity)
    );
    INSERT INTO stale (span_s, start_s, entity)
        SELECT DISTINCT 3600, CAST(start_s AS INTEGER) / 3600 * 3600, entity FROM windows WHERE span_s = 900
    """,
    # For questions over many routes: the numbers of hours and days as columns, and the windows of all routes together.
    # `untotalled` are the quarters of hours whose totals have to be made (anew); `sums` says what `windows` says.
    """
    CREATE TABLE sums (
        span_s INTEGER NOT NULL, start_s INTEGER NOT NULL, entity INTEGER NOT NULL,
        requests INTEGER NOT NULL, errors INTEGER NOT NULL, timeouts INTEGER NOT NULL, client_errors INTEGER NOT NULL,
        limited INTEGER NOT NULL, broken INTEGER NOT NULL, retries INTEGER NOT NULL, request_bytes INTEGER NOT NULL,
        response_bytes INTEGER NOT NULL, inflight_max INTEGER NOT NULL, max_ms REAL NOT NULL,
        PRIMARY KEY (span_s, start_s, entity)
    ) WITHOUT ROWID;
    CREATE TABLE totals (
        span_s INTEGER NOT NULL, start_s INTEGER NOT NULL, org TEXT NOT NULL, environment TEXT NOT NULL,
        stats BLOB NOT NULL, latency BLOB NOT NULL, upstream BLOB NOT NULL, facets BLOB NOT NULL,
        PRIMARY KEY (span_s, start_s, org, environment)
    ) WITHOUT ROWID;
    CREATE TABLE untotalled (start_s INTEGER PRIMARY KEY);
    INSERT INTO untotalled SELECT DISTINCT CAST(start_s AS INTEGER) FROM windows WHERE span_s = 900
    """,
    # What is asked for most, numbers and latency, without the rest: rows of half a kilobyte lie in a page one after the
    # other, larger ones have pages of their own elsewhere in the file.
    """
    ALTER TABLE windows RENAME TO whole_windows;
    DROP INDEX windows_by_entity;
    CREATE TABLE windows (
        span_s INTEGER NOT NULL, start_s REAL NOT NULL, entity INTEGER NOT NULL REFERENCES entities (id),
        stats BLOB NOT NULL, latency BLOB NOT NULL, PRIMARY KEY (span_s, start_s, entity)
    ) WITHOUT ROWID;
    CREATE TABLE details (
        span_s INTEGER NOT NULL, start_s REAL NOT NULL, entity INTEGER NOT NULL REFERENCES entities (id),
        upstream BLOB NOT NULL, facets BLOB NOT NULL, PRIMARY KEY (span_s, start_s, entity)
    ) WITHOUT ROWID;
    INSERT INTO windows SELECT span_s, start_s, entity, stats, latency FROM whole_windows;
    INSERT INTO details SELECT span_s, start_s, entity, upstream, facets FROM whole_windows;
    DROP TABLE whole_windows;
    CREATE INDEX windows_by_entity ON windows (entity, span_s, start_s)
    """,
)
