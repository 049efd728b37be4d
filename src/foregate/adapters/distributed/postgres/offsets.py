"""How far a reader of the bus has come, and what keeps a batch from being stored twice."""

from collections.abc import Mapping

from foregate.adapters.distributed.postgres.database import Cursor, Database
from foregate.adapters.distributed.postgres.failures import Refused


class Offsets:
    """The offsets in `table` (topic, partition, read_to). One per store and process.

    What is stored is compared with what this process last saw: when a commit's answer was lost, the same write is known
    again and not made twice; when another process has moved them, nothing is written over its work.
    """

    def __init__(self, database: Database, table: str) -> None:
        self._database = database
        self._read = f"SELECT topic, partition, read_to FROM {table} WHERE topic = ANY(%s)"  # noqa: S608 - our own name
        self._write = (
            f"INSERT INTO {table} SELECT * FROM unnest(%s::text[], %s::integer[], %s::bigint[]) "  # noqa: S608 - ditto
            "ON CONFLICT (topic, partition) DO UPDATE SET read_to = excluded.read_to"
        )
        self._seen: dict[tuple[str, int], int] = {}
        self._doubted: Mapping[tuple[str, int], int] | None = None  # of a write that is not known to be committed

    def read(self, topic: str) -> dict[int, int]:
        """Partition → last offset stored. Raises OSError."""
        with self._database.reading() as cursor:
            stored = self._stored(cursor, [topic])
        self._seen = {at: offset for at, offset in self._seen.items() if at[0] != topic} | stored
        return {partition: offset for (_, partition), offset in stored.items()}

    def move(self, cursor: Cursor, offsets: Mapping[tuple[str, int], int]) -> bool:
        """Set them. False when they were set by a commit whose answer was lost: then all of it is there.

        Raises Refused when another process has set them.
        """
        stored = self._stored(cursor, sorted({topic for topic, _ in offsets}))
        moved = {at for at in offsets if at in self._seen and stored.get(at, -1) != self._seen[at]}
        there = all(stored.get(at, -1) == offset for at, offset in offsets.items())
        if there and (moved or self._doubted == offsets):
            return False
        if moved:
            raise Refused(
                f"{self._database.server}: another foregate has stored what comes from {_named(moved)}: two "
                "that have a bus of their own need a database (or a schema) of their own"
            )
        self._doubted = None if there else dict(offsets)
        self._write_all(cursor, offsets)
        return True

    def done(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """They are committed."""
        self._doubted = None
        self._seen.update(offsets)

    def _write_all(self, cursor: Cursor, offsets: Mapping[tuple[str, int], int]) -> None:
        topics, partitions = [topic for topic, _ in offsets], [partition for _, partition in offsets]
        cursor.execute(self._write, (topics, partitions, list(offsets.values())))

    def _stored(self, cursor: Cursor, topics: list[str]) -> dict[tuple[str, int], int]:
        cursor.execute(self._read, (topics,))
        return {(str(row[0]), int(row[1])): int(row[2]) for row in cursor.fetchall()}


def _named(moved: set[tuple[str, int]]) -> str:
    return ", ".join(f"{topic}/{partition}" for topic, partition in sorted(moved)[:5])
