"""How foregate itself is: its processes, as their supervisor sees them, and its disk."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ProcessHealth:
    """One supervised process. `since_s` is when it last started (Unix seconds)."""

    name: str
    role: str
    state: Literal["running", "starting", "restarting", "stopped"]
    pid: int | None
    since_s: float | None
    restarts: int


@dataclass(frozen=True)
class DiskHealth:
    """Of the data directory's file system. `full`: telemetry is refused and not stored until there is more room."""

    level: Literal["ok", "low", "critical", "full"]
    free_bytes: int
    total_bytes: int
