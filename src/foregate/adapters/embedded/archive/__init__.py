"""The archive on one machine: immutable Parquet segments, and a manifest in SQLite that says which of them count.

Consumes events, spans and points with the bus offsets they cover; answers questions through DuckDB in memory. Promise:
a segment is on the disk before the manifest names it, and both are before `append` returns, so kill -9 leaves all of an
append or nothing; a file that the manifest does not name is deleted at the next start. Readers take a snapshot of the
manifest, and what has been replaced stays for `GRACE_S`: nobody waits for anybody.

`events/<org>/2026-11-21/<id>.parquet`. Writing needs pyarrow, reading DuckDB: import `writer` or `reader`, not both.
"""
