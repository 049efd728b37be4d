"""The outcome of reading a body."""

from dataclasses import dataclass, field

from foregate.wire.accounts import Kind
from foregate.wire.event import RequestEvent, Source
from foregate.wire.log import LogRecord
from foregate.wire.point import Point
from foregate.wire.span import Span

REJECTED_MAX = 100  # told one by one; beyond it they are only counted


@dataclass(frozen=True, slots=True)
class Sender:
    """What holds for items that do not say it themselves. `org` holds for all: it comes from the key alone.

    `received_s`: Unix seconds, for items without a time.
    """

    org: str
    received_s: float
    environment: str = "production"
    region: str = ""
    cloud: str = ""
    source: Source = "telemetry"


@dataclass(frozen=True, slots=True)
class Rejected:
    """`index`: which item of the body, from 0; for NDJSON and log files the line, from 1."""

    kind: Kind
    index: int
    reason: str


@dataclass(slots=True)
class Parsed:
    """`rejected` are the first `REJECTED_MAX` of `invalid`, which counts all of them, by kind.

    `batch_id`: as the body names itself, for whoever sends it twice; "" where it does not. `damaged`: the body was cut
    off or could not be read to its end; it must not count as received under a batch id, for it may come again, whole.
    """

    events: list[RequestEvent] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    invalid: dict[Kind, int] = field(default_factory=dict)
    batch_id: str = ""
    damaged: bool = False

    def reject(self, kind: Kind, index: int, reason: str) -> None:
        self.invalid[kind] = self.invalid.get(kind, 0) + 1
        if len(self.rejected) < REJECTED_MAX:
            self.rejected.append(Rejected(kind, index, reason))

    @property
    def items(self) -> int:
        """Good ones, of all kinds."""
        return len(self.events) + len(self.spans) + len(self.logs) + len(self.points)
