"""The series store: windows over time, and how far the reader of events has come."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from foregate.wire.entity import Entity
from foregate.wire.window import StoredWindow


class SeriesWriter(Protocol):
    """For the one process that makes windows."""

    def write(self, windows: Sequence[StoredWindow], offsets: Mapping[int, int], counts: Mapping[str, int]) -> None:
        """Upsert windows (key: entity, span, start) together with the bus offsets they cover, in one transaction.

        `counts` adds to the telemetry accounts by outcome ("accepted", "late", "invalid", …). One transaction for all
        three is what makes a window count every event exactly once across kill -9.
        """
        ...

    def offsets(self) -> dict[int, int]:
        """Partition → last offset whose events are in the stored windows."""
        ...

    def newest_s(self, span_s: int) -> float | None:
        """The start of the newest window of this span, None when there is none."""
        ...

    def expire(self, span_s: int, older_than_s: float) -> int:
        """Delete windows of this span that started before `older_than_s`. Returns how many."""
        ...


class SeriesReader(Protocol):
    """For whoever asks: many readers beside the one writer."""

    def scan(
        self,
        span_s: int,
        from_s: float,
        until_s: float,
        *,
        entity: Entity | None = None,
        rows_max: int = 50_000,
    ) -> list[StoredWindow]:
        """Windows with from_s ≤ start < until_s, ordered by (entity, start)."""
        ...

    def counts(self) -> dict[str, int]:
        """The telemetry accounts: outcome → items, since ever."""
        ...
