"""The archive: single events, spans and points over weeks, for questions that the windows cannot answer."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from foregate.wire.accounts import Kind
from foregate.wire.ask import Answer, Ask, Filter

# Items of one page. From 5,000 on DuckDB may sort all rows of a range, in gigabytes of memory, where it otherwise keeps
# the first ones alone.
PAGE_ITEMS_MAX = 4_000


class Page(NamedTuple):
    """`rows`: column name → value. `cursor` asks for the next ones; "" at the end."""

    rows: Sequence[Mapping[str, Any]]
    cursor: str = ""


class ArchiveWriter(Protocol):
    """For the one process that keeps it."""

    def append(
        self, kind: Kind, items: Sequence[Any], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        """Store the items (`RequestEvent`, `Span` or `Point`, by kind) and the bus offsets they cover, all or nothing.

        The items count as "accepted" in the accounts of this kind; `counts` adds further outcomes to them ("invalid",
        "lost_batches"). Raises OSError when nothing can be stored now; then nothing was.
        """
        ...

    def offsets(self, topic: str) -> dict[int, int]:
        """Partition → last offset whose items are stored."""
        ...

    def orgs(self) -> Sequence[str]:
        """Whose items there are."""
        ...

    def compact(self) -> int:
        """Do a bounded piece of tidying; returns how many pieces were made one. Never blocks `append` or readers."""
        ...

    def expire(self, kind: Kind, org: str, older_than_s: float) -> int:
        """Delete items of `org` older than that, and free their disk. Returns how many items, as far as known."""
        ...

    def trim(self, bytes_max: int) -> int:
        """When more is used, delete the oldest items of all until it is 5 % less. Returns how many items.

        They count as "trimmed" in the accounts of their kinds.
        """
        ...


class ArchiveReader(Protocol):
    """For whoever asks: many readers beside the one writer."""

    def ask(self, ask: Ask, *, rows_max: int) -> Answer:
        """Answer from raw events. Raises ForegateError("query_too_large") rather than look at more than `rows_max`."""
        ...

    def scan(
        self, kind: Kind, org: str, from_s: float, until_s: float, filters: Sequence[Filter] = (), *,
        limit: int = 100, cursor: str = "",
    ) -> Page:  # fmt: skip
        """Items, newest first. Raises ForegateError("invalid_parameter") for an unknown field or cursor."""
        ...

    def orgs(self) -> Sequence[str]:
        """Whose items there are."""
        ...

    def items(self, kind: Kind) -> int:
        """How many are stored now."""
        ...

    def counts(self, kind: Kind) -> dict[str, int]:
        """The accounts of this kind: outcome → items, since ever."""
        ...

    @property
    def bytes_used(self) -> int: ...
