"""Whether files have changed: by looking at their stamps, which costs microseconds and works on every file system."""

import contextlib
import errno
import fcntl
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

Stamp = tuple[int, int, int]  # inode, mtime in nanoseconds, size

# How long a change must have rested. Most of what a file begins with is a valid YAML document of its own.
REPLACED_REST_S = 0.0  # another file under the name: it was whole before it came (two looks at it are enough)
REWRITTEN_REST_S = 0.3  # the same file: whoever writes it may not be done
SHORTENED_REST_S = 2.0  # the same file, and less in it: perhaps the first part of what is to come
OPEN_REST_S = 10.0  # somebody has it open for writing: then it counts only after so long without a change


def stamp(file: Path) -> Stamp | None:
    """What tells one content of a file from the next; None while there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def written_now(file: Path) -> bool:
    """Whether somebody has it open for writing, where the system can say (Linux, a local file of our own)."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # A writer that opens it in this very moment is told us by a signal: by one that ends nobody.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)  # refused while a writer has it open
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)  # which ends the lease
    return False


class Settled:
    """When a set of files has changed and come to rest. Pure: it is told what was seen, and when.

    A change counts once two looks in a row saw the same and it has rested (`*_REST_S` above), so that nobody reads
    what is half written. A file that is gone or empty is about to be written: that is no change.
    """

    def __init__(
        self, seen: Mapping[Path, Stamp | None], writing: Callable[[Path], bool] = lambda _file: False
    ) -> None:
        """`writing`: whether somebody has a file open for writing; asked of a change that has rested."""
        self._accepted = dict(seen)
        self._seen = dict(seen)
        self._since_s = 0.0
        self._writing = writing

    @property
    def moving(self) -> bool:
        """Whether a change has been seen that may not have come to rest: look at every file now."""
        return self._seen != self._accepted

    def know(self, seen: Mapping[Path, Stamp | None]) -> None:
        """Files to be watched from now on, as they were before they were read. Known ones stay as they are."""
        self._accepted = {**seen, **self._accepted}
        self._seen = {**seen, **self._seen}

    def look(self, seen: Mapping[Path, Stamp | None], now_s: float) -> bool:
        """Whether there is something new, and all of it is written. Files that were not looked at are as before."""
        found = {file: each if each and each[2] else self._accepted.get(file) for file, each in seen.items()}
        before, self._seen = self._seen, self._seen | found
        if self._seen != before:
            self._since_s = now_s
            return False
        if self._seen == self._accepted or not self._rested(now_s - self._since_s):
            return False
        self._accepted = self._seen
        return True

    def _rested(self, still_s: float) -> bool:
        changed = [file for file, each in self._seen.items() if each != self._accepted.get(file)]
        if still_s < max(_rest_s(self._accepted.get(file), self._seen[file]) for file in changed):
            return False
        return still_s >= OPEN_REST_S or not any(map(self._writing, changed))


def _rest_s(before: Stamp | None, now: Stamp | None) -> float:
    if before is None or now is None or before[0] != now[0]:
        return REPLACED_REST_S
    return SHORTENED_REST_S if now[2] < before[2] else REWRITTEN_REST_S
