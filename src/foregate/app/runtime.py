"""What `foregate up` tells its children beyond the gateway's snapshot."""

from pathlib import Path

import msgspec

from foregate.app.paths import DataDir, write_private
from foregate.kernel.limits import BUS_BYTES_MAX


class Runtime(msgspec.Struct, frozen=True):
    """Settings of the courier, control and analyzer processes. Kept in settings.json, readable by the owner alone."""

    console_host: str
    console_port: int
    gateway_url: str
    workers: int
    alert_threshold: float
    bus_bytes_max: int = BUS_BYTES_MAX
    webhook: str | None = None
    model_path: str | None = None
    lab_control_url: str | None = None  # only in the demo


def write_runtime(data: DataDir, runtime: Runtime) -> None:
    """Store for the children. Raises OSError."""
    write_private(data.settings, msgspec.json.encode(runtime).decode())


def read_runtime(data: DataDir) -> Runtime:
    """What the supervisor stored. Raises OSError or msgspec.ValidationError."""
    return msgspec.json.decode(Path(data.settings).read_bytes(), type=Runtime)
