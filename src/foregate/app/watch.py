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
        self._seen = dict(seen)

    @property
    def moving(self) -> bool:
        """Whether a change has been seen that may not have come to rest: look at every file now."""
        return self._seen != self._accepted

    def know(self, seen: Mapping[Path, Stamp | None]) -> None:
        """Files to be watched from now on, as they were before they were read. Known ones stay as they are."""
        self._accepted = {**seen, **self._accepted}
        self._seen = {**seen, **self._seen}

    def look(self, seen: Mapping[Path, Stamp | None]) -> bool:
        """Whether there is something new, and all of it is written. Files that were not looked at are as before."""
        found = {file: each if each and each[2] else self._accepted.get(file) for file, each in seen.items()}
        before, self._seen = self._seen, self._seen | found
        if self._seen == self._accepted or self._seen != before:
            return False
        self._accepted = self._seen
        return True
