"""What the supervisor has written of its children."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from foregate.wire.health import ProcessHealth

_STATES: Mapping[str, Literal["running", "starting", "restarting", "stopped"]] = {
    "running": "running",
    "starting": "starting",
    "waiting": "restarting",
    "stopped": "stopped",
}


def read_processes(file: Path) -> Sequence[ProcessHealth]:
    """What the supervisor wrote; nothing when this process runs without one."""
    try:
        rows = json.loads(file.read_text())
    except (OSError, ValueError):
        return ()
    return [
        ProcessHealth(
            name=row["name"],
            role=row["name"].partition("-")[0],
            state=_STATES[row["state"]],
            pid=row["pid"],
            since_s=row["started_s"] or None,
            restarts=row["restarts"],
        )
        for row in rows
    ]
