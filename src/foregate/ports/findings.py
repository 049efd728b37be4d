"""Where verdicts are kept: risks, anomalies, alerts."""

from collections.abc import Sequence
from typing import Protocol

from foregate.wire.alert import Alert, AlertState
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity
from foregate.wire.forecast import Forecast
from foregate.wire.objective import ObjectiveState
from foregate.wire.risk import Risk


class FindingsWriter(Protocol):
    """For the analyzer. Each call is one durable transaction."""

    def put_risks(self, risks: Sequence[Risk]) -> None: ...

    def put_anomalies(self, anomalies: Sequence[Anomaly]) -> None:
        """Insert, or replace what has the same id."""
        ...

    def put_alerts(self, alerts: Sequence[Alert]) -> None:
        """Insert, or replace what has the same id."""
        ...

    def put_objectives(self, states: Sequence[ObjectiveState]) -> None:
        """The newest of each entity stands."""
        ...

    def put_forecasts(self, forecasts: Sequence[Forecast]) -> None:
        """The newest of each entity, metric and step stands."""
        ...

    def expire(self, older_than_s: float) -> int: ...


class FindingsReader(Protocol):
    """For the API and for the analyzer at its start."""

    def latest_risks(self) -> list[Risk]:
        """The newest verdict per entity, highest score first."""
        ...

    def risk_history(self, entity: Entity, from_s: float, until_s: float) -> list[Risk]: ...

    def anomalies(self, *, from_s: float, limit: int) -> list[Anomaly]:
        """Newest first."""
        ...

    def open_anomalies(self) -> list[Anomaly]:
        """All that have not ended, whenever they began."""
        ...

    def unresolved_alerts(self) -> list[Alert]:
        """All alerts of a risk that are open, or whose outcome is."""
        ...

    def alerts(self, *, state: AlertState | None, limit: int, before: tuple[float, str] | None) -> list[Alert]:
        """Newest first; `before` is the (raised_s, id) of the last one on the page before."""
        ...

    def objectives(self) -> list[ObjectiveState]:
        """The newest per entity, in order of the entities."""
        ...

    def forecasts(self, *, entity: Entity | None = None) -> list[Forecast]:
        """The newest of each entity, metric and step, of one entity or all, in order."""
        ...
