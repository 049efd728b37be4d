"""Windows and single events in PostgreSQL 14 or newer, with TimescaleDB's hypertables where that is installed.

Import the module you need; all of them need psycopg (extra `postgres`).
- `series.PostgresSeries` keeps `ports.series`
- `archive.PostgresArchive` keeps both sides of `ports.archive`

Promise: a transaction is stored as a whole or not at all, also when the connection breaks while it is committed; a
server that was restarted is connected to again by the next call. Every failure is an OSError that names the server
(without its password) and what to do: `failures.Unreachable` may pass, `failures.Refused` needs a person.
"""
