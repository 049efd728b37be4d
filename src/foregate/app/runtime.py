"""What `foregate up` tells its children beyond the gateway's snapshot."""

from pathlib import Path

import msgspec

from foregate.app.paths import DataDir, write_private
from foregate.kernel.limits import BUS_BYTES_MAX
from foregate.wire.bus import Kafka
from foregate.wire.export import Export
from foregate.wire.ingest import Ingest
from foregate.wire.objective import ObjectiveSet
from foregate.wire.survey import Journeys, Logs


class Runtime(msgspec.Struct, frozen=True):
    """Settings of the courier, control and analyzer processes. Kept in settings.json, readable by the owner alone."""

    console_host: str
    console_port: int
    gateway_url: str
    workers: int
    alert_threshold: float | None  # None: the score that keeps to the budget of false alarms
    bus_bytes_max: int = BUS_BYTES_MAX
    webhook: str | None = None
    model_path: str | None = None
    learn_daily: bool = False
    lab_control_url: str | None = None  # only in the demo
    retention_days: int = 30  # of single items
    store: str = ""  # URL of a PostgreSQL for windows and single items; "": files in the data directory
    flush_interval_s: float = 2.0  # so long readers may collect what is acknowledged
    bus: Kafka | None = None  # None: bus.sqlite
    ingest_workers: int = 0  # processes that take telemetry in; 0: nobody may send any
    retention: dict[str, int] = {}  # days of single items by organisation, where it is not `retention_days`
    archive_bytes_max: int | None = None
    export: Export | None = None  # what foregate says of itself
    journeys: Journeys = Journeys()
    logs: Logs = Logs()
    false_alarms_per_day: float = 0.5  # per API
    false_alarms: dict[str, float] = {}  # per API and day, by organisation, where it is another number
    explain: bool = True
    objectives: ObjectiveSet = ObjectiveSet()


def write_runtime(data: DataDir, runtime: Runtime) -> None:
    """Store for the children. Raises OSError."""
    write_private(data.settings, msgspec.json.encode(runtime).decode())


def read_runtime(data: DataDir) -> Runtime:
    """What the supervisor stored. Raises OSError or msgspec.ValidationError."""
    return msgspec.json.decode(Path(data.settings).read_bytes(), type=Runtime)


def write_ingest(data: DataDir, ingest: Ingest) -> None:
    """Store for the ingest processes, which follow it. Raises OSError."""
    write_private(data.ingest, msgspec.json.encode(ingest).decode(), durable=False)  # made anew at each start


def read_ingest(data: DataDir) -> Ingest:
    """What the supervisor stored. Raises OSError or msgspec.ValidationError."""
    return msgspec.json.decode(data.ingest.read_bytes(), type=Ingest)
