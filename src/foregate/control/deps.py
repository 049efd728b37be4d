"""What control needs from others: plain values, ports, and small Protocols that `app/wiring.py` joins."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from foregate.kernel.clock import Clock
from foregate.ports.archive import Page
from foregate.ports.cache import Purger
from foregate.ports.findings import FindingsReader
from foregate.ports.journeys import JourneyPage
from foregate.ports.logs import LogAsk, LogPage
from foregate.wire.abuse_overview import AbuseOverview
from foregate.wire.accounts import Account
from foregate.wire.ask import Answer, Ask, Filter
from foregate.wire.canary import CanaryState
from foregate.wire.change import Change
from foregate.wire.decision import AuditLine, Decision
from foregate.wire.event import RequestEvent
from foregate.wire.health import DiskHealth, ProcessHealth
from foregate.wire.journey import Edge, Journey, JourneyAsk
from foregate.wire.models import OrgModels, Serving
from foregate.wire.snapshot import Snapshot
from foregate.wire.usage import UsageAnswer, UsageBy
from foregate.wire.window import MetricsAnswer

BreakerState = Literal["closed", "half_open", "open"]


class EventTail(Protocol):
    """A reader's own place in the log of events."""

    def read(self, limit: int) -> list[RequestEvent]:
        """Up to `limit` events that came since the last call, oldest first; skips ahead when it fell far behind."""
        ...


class TelemetryQuery(Protocol):
    """What is asked about traffic. Blocking (files): control calls it off the event loop, from several threads."""

    def metrics(
        self, *, span_s: int, from_s: float, until_s: float, service: str | None, route: str | None
    ) -> MetricsAnswer:
        """Windows with from_s ≤ start < until_s. Raises ForegateError("invalid_parameter") when that is too much."""
        ...

    def usage(self, *, by: UsageBy, from_s: float, until_s: float) -> UsageAnswer:
        """The ledger of AI traffic: whole hours, from the one that holds `from_s`."""
        ...

    def recent_events(self, limit: int) -> list[RequestEvent]:
        """The newest events, newest first."""
        ...

    def tail(self) -> EventTail:
        """A reader that begins after the newest event."""
        ...

    def counts(self) -> Mapping[str, int]:
        """The telemetry accounts: outcome → items, since ever."""
        ...

    def lag_events(self) -> int | None:
        """Events in the log that no stored window covers yet; None when that is not known."""
        ...


class Asks(Protocol):
    """Questions about traffic (`wire.ask`). Blocking. `check` is called now and then, and may raise.

    Raises ForegateError (invalid_parameter, query_too_large, query_timeout), OSError.
    """

    def ask(self, ask: Ask, check: Callable[[], None]) -> Answer: ...

    def compared(self, ask: Ask, shift_s: float, check: Callable[[], None]) -> tuple[Answer, Answer]:
        """The answer, and that of the same range `shift_s` earlier about the same groups."""
        ...


class Tailed(Protocol):
    """What one read of a tail gave; `place` is where the next one begins."""

    @property
    def events(self) -> list[RequestEvent]: ...

    @property
    def skipped(self) -> int: ...

    @property
    def skipped_batches(self) -> int: ...

    @property
    def place(self) -> str: ...


class FilteredTail(Protocol):
    """A reader's own place in the log of events. Blocking."""

    def read(self) -> Tailed: ...


class ItemsQuery(Protocol):
    """Single items. Blocking. Raises ForegateError (invalid_parameter, not_found, query_timeout), OSError."""

    def requests(
        self, org: str, from_s: float, until_s: float, filters: Sequence[Filter], limit: int, cursor: str
    ) -> Page: ...

    def scan(
        self,
        kind: Literal["spans", "points"],
        org: str,
        from_s: float,
        until_s: float,
        filters: Sequence[Filter],
        limit: int,
        cursor: str = "",
    ) -> Page: ...

    def tail(self, org: str, filters: Sequence[Filter], place: str) -> FilteredTail: ...

    def columns(self, kind: Literal["events", "spans", "points", "windows"]) -> Sequence[Any]:
        """(name, type) of what `rows` have."""
        ...

    def rows(
        self,
        kind: Literal["events", "spans", "points", "windows"],
        org: str,
        from_s: float,
        until_s: float,
        filters: Sequence[Filter],
        span_s: int,
    ) -> Iterator[list[Mapping[str, Any]]]:
        """Everything of a range, in bounded pieces."""
        ...


class LabClient(Protocol):
    """The lab's control endpoint. Blocking. Raises ForegateError (not_found, conflict, …) or OSError."""

    def faults(self) -> dict[str, Any]: ...

    def start(self, command: dict[str, Any]) -> dict[str, Any]: ...

    def stop(self, fault_id: str) -> None: ...


@dataclass(frozen=True)
class ReloadAttempt:
    """What became of the last attempt to read the configuration. `at_s`: Unix seconds. `later`: waits for a restart."""

    outcome: Literal["started", "applied", "unchanged", "refused"]
    at_s: float
    by: Literal["start", "file", "signal"]
    problems: Sequence[str]
    later: Sequence[str]
    took_ms: float


@dataclass(frozen=True)
class ConfigState:
    """`workers`: worker → the version it serves by, None before it has served. `attempt`: None without a supervisor."""

    version: str
    workers: Mapping[str, str | None]
    attempt: ReloadAttempt | None


class ConfigControl(Protocol):
    """The configuration in force. Blocking."""

    def state(self) -> ConfigState: ...

    def reload(self) -> ConfigState:
        """Have it read again, and wait for the outcome. Raises ForegateError("conflict") where nobody can do that."""
        ...


class BlockControl(Protocol):
    """Blocks for abuse. Blocking; may raise OSError."""

    def in_force(self) -> Sequence[Decision]:
        """The newest first; those that are only observed, too."""
        ...

    def recent(self, limit: int) -> Sequence[Decision]:
        """The newest first, whatever became of them."""
        ...

    def audit(self, limit: int) -> Sequence[AuditLine]: ...

    def overview(self) -> AbuseOverview | None:
        """What detection saw last; None before it has seen anything."""
        ...

    def add(self, who: str, for_s: float, note: str, by: str) -> Decision:
        """Raises ForegateError: invalid_parameter; conflict for whoever is on the allow list."""
        ...

    def undo(self, decision_id: str, note: str, by: str) -> Decision:
        """Raises ForegateError("not_found") for what is not in force."""
        ...


class CanaryControl(Protocol):
    """Canaries. Blocking; may raise OSError."""

    def all(self) -> Sequence[CanaryState]:
        """Those of the configuration in force."""
        ...

    def resume(self, route: str, by: str, note: str = "") -> CanaryState:
        """Raises ForegateError("not_found") where none was rolled back."""
        ...


class ModelControl(Protocol):
    """Models of own traffic. Blocking; may raise OSError."""

    @property
    def fixed(self) -> str | None:
        """The file that judges everybody, where one is configured."""
        ...

    def all(self) -> Sequence[OrgModels]: ...

    def roll_back(self, org: str, version: str | None, by: str, note: str = "") -> Serving:
        """Raises ForegateError: not_found; conflict for what serves already, or where a file is configured."""
        ...

    def card(self, org: str, version: str, name: Literal["card.json"]) -> bytes:
        """Raises ForegateError("not_found")."""
        ...


class DeploymentControl(Protocol):
    """What was changed on purpose. Blocking; may raise OSError."""

    def recent(self, limit: int, before_s: float | None) -> Sequence[Change]:
        """The newest first; those that were made before that time."""
        ...

    def add(self, service: str, version: str, environment: str, note: str, by: str) -> Change:
        """Keep that there is a new version of a service now; one that was said just now is not kept twice."""
        ...


class JourneyAnswers(Protocol):
    """Questions about journeys. Blocking; may raise OSError."""

    def search(self, ask: JourneyAsk, limit: int, cursor: str = "") -> JourneyPage:
        """Newest first. Raises ForegateError("invalid_parameter") for a cursor that is none."""
        ...

    def journey(self, org: str, trace_id: str) -> Journey | None: ...

    def service_map(self, org: str, from_s: float, until_s: float) -> Sequence[Edge]: ...


class LogAnswers(Protocol):
    """Questions about log records. Blocking; may raise OSError."""

    def search(self, ask: LogAsk, limit: int, cursor: str = "") -> LogPage:
        """Newest first. Raises ForegateError("invalid_parameter") for a cursor that is none."""
        ...


class Log(Protocol):
    """The part of a structlog logger that control uses."""

    def info(self, event: str, **fields: Any) -> Any: ...

    def warning(self, event: str, **fields: Any) -> Any: ...

    def exception(self, event: str, **fields: Any) -> Any: ...


def _no_processes() -> Sequence[ProcessHealth]:
    return ()


def _no_accounts() -> Sequence[Account]:
    return ()


@dataclass(frozen=True)
class ControlDeps:
    """Everything `create_app` needs. All callables may block; control calls them in its thread pool.

    `hosts`: Host names (without port) beside the loopback ones under which the console may be asked.
    `breakers`: target URL → state as far as known.
    """

    telemetry: TelemetryQuery
    findings: FindingsReader
    clock: Clock
    snapshot: Callable[[], Snapshot]
    console_token: str
    threshold: float
    log: Log
    version: str
    lab: LabClient | None = None
    model_card: Mapping[str, Any] | None = None
    processes: Callable[[], Sequence[ProcessHealth]] = _no_processes
    breakers: Callable[[], Mapping[str, BreakerState]] | None = None
    config: ConfigControl | None = None
    blocks: BlockControl | None = None
    canaries: CanaryControl | None = None
    models: ModelControl | None = None
    deployments: DeploymentControl | None = None
    cache: Purger | None = None
    asks: Asks | None = None
    items: ItemsQuery | None = None
    parquet: Callable[[Sequence[Any]], Any] | None = None  # columns → a `control.export.RowEncoder`
    hosts: frozenset[str] = field(default_factory=frozenset)
    accounts: Callable[[], Sequence[Account]] = _no_accounts
    own_metrics: Callable[[], str] = str  # in Prometheus' text format
    disk: Callable[[], DiskHealth] | None = None
    journeys: JourneyAnswers | None = None
    logs: LogAnswers | None = None
