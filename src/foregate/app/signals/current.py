"""The configuration in force, as far as it says something of APIs."""

from pathlib import Path

from foregate.app.watch import Stamp, stamp
from foregate.wire.snapshot import Snapshot, decode_without_keys


class CurrentSnapshot:
    """Read again only when the file has changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: Stamp | None = None
        self._known: Snapshot | None = None

    def read(self) -> Snapshot | None:
        """Without its keys; None before the supervisor has written one. Raises OSError, msgspec.DecodeError."""
        seen = stamp(self._file)
        if seen is None:
            return None
        if seen != self._seen:
            self._known, self._seen = decode_without_keys(self._file.read_bytes()), seen
        return self._known
