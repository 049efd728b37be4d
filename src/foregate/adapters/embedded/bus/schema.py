"""The bus's tables. A migration is never changed once it has been released."""

MIGRATIONS = (
    """
    CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE heads (
        topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, time_s REAL NOT NULL,
        PRIMARY KEY (topic, partition)
    ) WITHOUT ROWID;
    CREATE TABLE producers (
        topic TEXT NOT NULL, producer TEXT NOT NULL, sequence INTEGER NOT NULL, time_s REAL NOT NULL,
        PRIMARY KEY (topic, producer)
    ) WITHOUT ROWID;
    CREATE TABLE batches (
        topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, time_s REAL NOT NULL,
        items INTEGER NOT NULL, payload BLOB NOT NULL
    );
    CREATE UNIQUE INDEX batches_by_offset ON batches (topic, partition, offset, time_s)
    """,
    # `items` ever appended (what expired before this version is not in it), `lost`: of these, deleted unread.
    # `packed`: the payload is a zstd frame. `seen`: ids of batches, as digests, in the order they came.
    """
    ALTER TABLE heads ADD COLUMN items INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE heads ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
    UPDATE heads SET items = (
        SELECT coalesce(sum(items), 0) FROM batches
        WHERE batches.topic = heads.topic AND batches.partition = heads.partition
    );
    ALTER TABLE batches ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE seen (number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, time_s REAL NOT NULL)
    """,
)
