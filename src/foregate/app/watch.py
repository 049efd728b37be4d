"""Whether files have changed: by looking at their stamps, which costs microseconds and works on every file system."""

from collections.abc import Mapping
from pathlib import Path

Stamp = tuple[int, int, int]  # inode, mtime in nanoseconds, size


def stamp(file: Path) -> Stamp | None:
    """What tells one content of a file from the next; None while there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Settled:
    """When a set of files has changed and come to rest. Pure: it is told what was seen.

    A change counts once two looks in a row saw the same, so that nobody reads what is half written. A file that is
    gone or empty is about to be written: that is no change.
    """

    def __init__(self, seen: Mapping[Path, Stamp | None]) -> None:
        self._accepted = dict(seen)
        self._moving: dict[Path, Stamp | None] | None = None

    def know(self, seen: Mapping[Path, Stamp | None]) -> None:
        """Files to be watched from now on, as they were before they were read. Known ones stay as they are."""
        self._accepted = {**seen, **self._accepted}

    def look(self, seen: Mapping[Path, Stamp | None]) -> bool:
        """Whether there is something new, and all of it is written."""
        now = self._accepted | {file: found for file, found in seen.items() if found is not None and found[2]}
        if now == self._accepted:
            self._moving = None
            return False
        if now == self._moving:
            self._accepted, self._moving = now, None
            return True
        self._moving = now
        return False
