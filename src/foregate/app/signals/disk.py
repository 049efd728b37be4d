"""How much of the data directory's disk is free."""

from pathlib import Path

from foregate.app.disk import Disk
from foregate.kernel.clock import Clock


class DiskLeft:
    def __init__(self, folder: Path, clock: Clock) -> None:
        self._disk = Disk(folder, clock)

    def read(self) -> float | None:
        """A share, 0 to 1; None of a file system without a size. Raises OSError."""
        state = self._disk.state()
        return state.free_bytes / state.total_bytes if state.total_bytes > 0 else None
