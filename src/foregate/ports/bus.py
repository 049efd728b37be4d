"""The bus: a durable, partitioned, append-only log of batches."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Batch(NamedTuple):
    """`offset` grows by one per batch within (topic, partition); `payload`: a MessagePack array of `items` messages."""

    partition: int
    offset: int
    time_s: float
    items: int
    payload: bytes


class Trimmed(NamedTuple):
    """What a bound has cost: batches and their items, and how many of the items nobody had read."""

    batches: int
    items: int
    unread_items: int


class Append(NamedTuple):
    """One batch to be appended. With `once` it is stored only if no batch with that id was in the last 24 hours (or the
    last million of them); else by (`producer`, `sequence`), as `Bus.append` says."""

    topic: str
    partition: int
    payload: bytes
    items: int
    producer: str = ""
    sequence: int = 0
    once: str = ""


class Lag(NamedTuple):
    """What a reader has still to read; `items` is None where an adapter cannot say it without reading them."""

    batches: int
    items: int | None


class Bus(Protocol):
    """Appends are atomic and idempotent per (topic, producer, sequence); readers keep their own place."""

    @property
    def partitions(self) -> int:
        """How many partitions every topic has."""
        ...

    def append(self, topic: str, partition: int, payload: bytes, items: int, *, producer: str, sequence: int) -> bool:
        """Store one batch durably before returning. False when (producer, sequence) was stored before.

        The sequences of one producer in one topic only rise; an adapter may remember just the highest.
        Raises OSError when nothing can be stored now (disk full, lock timeout): the caller keeps the batch.
        """
        ...

    def append_all(self, appends: Sequence[Append]) -> list[bool]:
        """Store several batches in one durable step, all or none: a group commit. Which of them were new.

        Batches with the same `once` in one call are one: all of them are new, or none. Raises OSError as `append`.
        """
        ...

    def appended(self, topic: str) -> int:
        """How many items were ever appended, expired ones included."""
        ...

    def lost(self, topic: str) -> int:
        """How many items were ever deleted by `trim` before all readers had read them. Kept as durably as the log."""
        ...

    def assigned(self, topic: str) -> Sequence[int]:
        """The partitions that this handle is to read now: all of them, unless readers on several machines share them.

        When it changes, a reader takes up its stored offsets again.
        """
        ...

    def read(self, topic: str, partition: int, after: int, batches_max: int) -> list[Batch]:
        """Batches with offset > `after`, oldest first; `after=-1` starts at the oldest kept."""
        ...

    def last_offset(self, topic: str, partition: int) -> int:
        """The newest offset, or -1 when the partition is empty."""
        ...

    def lag(self, topic: str, read_to: Mapping[int, int]) -> Lag:
        """What lies beyond these offsets (partition → last one read; a partition that is not named: all of it)."""
        ...

    def topics(self) -> list[str]:
        """All that batches were ever appended to."""
        ...

    def expire(self, topic: str, older_than_s: float) -> int:
        """Delete batches appended before `older_than_s` (Unix seconds). Returns how many.

        Batches of a clock that was ahead, and is not for an hour by now, count from then on as appended at that time.
        """
        ...

    @property
    def bytes_used(self) -> int:
        """How large the log is, all topics together."""
        ...

    def trim(self, topic: str, bytes_max: int, read_to: Mapping[int, int], *, unread: bool = True) -> Trimmed:
        """When the log is larger than `bytes_max`, delete the topic's oldest batches until it is 5 % smaller.

        `read_to`: partition → offset up to which all readers have read. Such batches go first; when there are none
        left, the oldest at all, but none of these if `unread` is False, nor while other topics alone take more than
        `bytes_max`: it would not help. A reader notices the latter by the gap in the offsets.
        """
        ...

    def close(self) -> None: ...
