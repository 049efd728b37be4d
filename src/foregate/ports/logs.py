"""Where log records are kept, and searched by their words."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from foregate.wire.log import LogRecord


class LogAsk(msgspec.Struct, frozen=True):
    """Records of `org` with from_s ≤ time < until_s. "" and 0 ask for nothing in particular.

    `words`: all of them must be in the record, in any order; "in quotes" next to one another; with a `*` at the end as
    a beginning. `severity_min`: 1 to 24, as in OpenTelemetry.
    """

    org: str
    from_s: float
    until_s: float
    words: str = ""
    service: str = ""
    environment: str = ""
    severity_min: int = 0
    trace_id: str = ""
    request_id: str = ""
    key_id: str = ""


class LogPage(NamedTuple):
    """`cursor` asks for the next ones; "" at the end."""

    found: Sequence[LogRecord]
    cursor: str = ""


class LogWriter(Protocol):
    """For the one process that keeps them."""

    def take(
        self, items: Sequence[LogRecord], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        """Store records and the bus offsets they cover, all or nothing. Raises OSError."""
        ...

    def offsets(self, topic: str) -> dict[int, int]: ...

    def expire(self, older_than_s: float, org: str | None = None) -> int:
        """Delete what was stored before that, of one org or of all, about a day's at a time, and free its disk.

        Returns how many records.
        """
        ...

    def trim(self, bytes_max: int) -> int:
        """When more is used, delete the oldest of the org that has most. Returns how many records."""
        ...


class LogReader(Protocol):
    """For whoever asks: many readers beside the one writer."""

    def search(self, ask: LogAsk, limit: int, cursor: str = "") -> LogPage:
        """Newest first. Raises ForegateError("invalid_parameter") for a cursor that is none."""
        ...

    def counts(self) -> dict[str, int]:
        """What became of log records, since ever."""
        ...
