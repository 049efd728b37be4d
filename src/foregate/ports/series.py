"""The series store: windows over time, and how far the reader of events has come."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, Protocol

from foregate.wire import TOPIC_EVENTS
from foregate.wire.entity import Entity
from foregate.wire.usage import Usage, UsageAnswer, UsageBy
from foregate.wire.window import StoredWindow

Merge = Callable[[Sequence[StoredWindow], int, float], StoredWindow]  # of one entity; span and start of the result
Sketches = Literal["none", "latency", "all"]
Number = Literal[
    "requests", "errors", "timeouts", "client_errors", "limited", "broken", "retries", "request_bytes",
    "response_bytes", "max_ms",
]  # fmt: skip


class SeriesWriter(Protocol):
    """For the one process that makes windows."""

    def append(
        self,
        windows: Sequence[StoredWindow],
        offsets: Mapping[tuple[str, int], int],
        counts: Mapping[str, int],
        usage: Sequence[Usage] = (),
    ) -> None:
        """Upsert windows (key: entity, span, start) together with the bus offsets they cover, in one transaction.

        `offsets`: (topic, partition) → last offset. What is rolled up of these windows is stale from then on.

        `counts` adds to the telemetry accounts by outcome ("accepted", "late", "invalid", …), `usage` to the ledger of
        AI traffic. One transaction for all of them is what makes them count every event exactly once across kill -9.
        """
        ...

    def offsets(self, topic: str = TOPIC_EVENTS) -> dict[int, int]:
        """Partition → last offset whose events are in the stored windows."""
        ...

    def roll_up(self, merge: Merge, windows_max: int) -> int:
        """Make stale roll-ups anew (`wire.window.ROLLED_UP_FROM`), the shorter spans first, some `windows_max` at most.

        Returns how many were made; 0: none is stale, and totals were made instead, if there were any to make: of
        quarters of hours that are over (there is a later window). Interrupted at any moment it begins where it was.
        """
        ...

    def newest_s(self, span_s: int) -> float | None:
        """The start of the newest window of this span, None when there is none."""
        ...

    def expire(self, span_s: int, older_than_s: float, *, org: str | None = None) -> int:
        """Delete windows of this span, of one org or of all, that started before `older_than_s`. Returns how many."""
        ...

    def expire_usage(self, older_than_s: float) -> int:
        """Delete what the ledger of AI traffic has of hours that began before `older_than_s`. Returns how many rows."""
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
        entities: Collection[Entity] | None = None,
        rows_max: int = 50_000,
        sketches: Sketches = "all",
    ) -> list[StoredWindow]:
        """Windows with from_s ≤ start < until_s, ordered by (entity, start); of one entity, of some, or of all.

        `sketches`: besides the numbers nothing, `latency`, or `upstream` and `facets` too; what is not read is empty.
        """
        ...

    def entities(self, org: str | None = None) -> list[Entity]:
        """Of whom there are windows, those of one org or all, in order."""
        ...

    def sums(
        self,
        number: Number,
        span_s: int,
        from_s: float,
        until_s: float,
        *,
        org: str | None = None,
        rows_max: int = 1_000_000,
    ) -> list[tuple[Entity, float]]:
        """One number of the windows of `scan` added up per entity; of "max_ms" the largest.

        Raises ForegateError("query_too_large") rather than read more than `rows_max` windows.
        """
        ...

    def totals(self, span_s: int, from_s: float, until_s: float, *, org: str | None = None) -> list[StoredWindow]:
        """The roll-up over all routes: one window per (org, environment, start), with "" for service and route.

        Of spans in `wire.window.TOTALLED_S`; like hours and days they are there where nothing is `stale`.
        """
        ...

    def stale(self, from_s: float, until_s: float, span_s: int = 3_600) -> list[float]:
        """Starts of the hours of the range that are not (or no longer) rolled up or totalled, in order; for 900: of the
        quarters of hours that have no (valid) totals.

        What is rolled up of such an hour, and of its day, is not to be used: its quarters are.
        """
        ...

    def usage(self, by: UsageBy, from_s: float, until_s: float, *, rows_max: int = 1_000) -> UsageAnswer:
        """The ledger of AI traffic, added up by `by`, of hours that began from `from_s` on and before `until_s`.

        A model's name is `service/model`, an hour's its beginning in Unix seconds.
        """
        ...

    def counts(self) -> dict[str, int]:
        """The telemetry accounts: outcome → items, since ever."""
        ...
