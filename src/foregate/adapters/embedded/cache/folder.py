"""The files of a disk cache, and the index of them.

    <folder>/index.bin · lock · users · incoming/<worker>-<n> · objects/<2 digits>/<digest>-<version>

An object is written under `incoming`, renamed and then entered into the index: a writer that is killed leaves nothing,
or a whole object that the next start finds. Its version is part of its name, so a file never changes and nobody reads
half of two. Everything here blocks and may raise OSError: but for making it, it is called by threads.
"""

import fcntl
import itertools
import os
from contextlib import suppress
from pathlib import Path

from foregate.adapters.embedded.cache.index import Index, Object
from foregate.adapters.embedded.locks import exclusive

_PARTS = 256
_MEND_AT_ONCE = 256  # files entered under one lock


class Folder:
    """One worker's handle; `worker` tells apart what workers write at the same time."""

    def __init__(self, root: Path, bytes_max: int, worker: int) -> None:
        self._incoming = root / "incoming"
        self._objects = root / "objects"
        self._lock = root / "lock"
        self._worker = worker
        self._numbers = itertools.count()
        for folder in (root, self._incoming, self._objects, *(self._objects / f"{part:02x}" for part in range(_PARTS))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._users = os.open(root / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Who is alone takes care of what was left; the others wait here until it has made the index.
            self.alone = _try_alone(self._users)
            self._clean()
            self.index = Index(root / "index.bin", bytes_max, alone=self.alone)
            fcntl.flock(self._users, fcntl.LOCK_SH)
        except OSError:
            os.close(self._users)
            raise

    def path(self, at: Object) -> Path:
        return self._objects / f"{at.digest[0]:02x}" / f"{at.digest.hex()}-{at.version:x}"

    def incoming(self) -> Path:
        """A name that nobody else writes under."""
        return self._incoming / f"{self._worker}-{os.getpid()}-{next(self._numbers)}"

    def enter(self, file: Path, made: Object, size: int) -> None:
        """`file` is whole now: let everybody find it. What it replaces, and what has to make room, is deleted."""
        file.rename(self.path(made))
        with exclusive(self._lock):
            gone = self.index.put(made, size)
        self._delete(gone)

    def drop(self, gone: Object, *, damaged: bool = False) -> None:
        """Take an object out, if it is still that version."""
        with exclusive(self._lock):
            self.index.remove(gone, damaged=damaged)
        self._delete([gone])

    def shrink(self, bytes_max: int) -> None:
        """Another bound from now on."""
        self.index.bytes_max = bytes_max
        with exclusive(self._lock):
            gone = self.index.shrink()
        self._delete(gone)

    def mend(self) -> None:
        """Enter what the index has not: it was made anew, or a writer was killed before it could."""
        with exclusive(self._lock):
            self.index.recount()
        for part in range(_PARTS):
            with os.scandir(self._objects / f"{part:02x}") as entries:
                while found := list(itertools.islice(entries, _MEND_AT_ONCE)):
                    self._mend(found)

    def close(self) -> None:
        self.index.close()
        os.close(self._users)

    def _mend(self, found: list["os.DirEntry[str]"]) -> None:
        gone: list[Object] = []
        with exclusive(self._lock):
            for file in found:
                with suppress(FileNotFoundError, ValueError):
                    digest, _, version = file.name.partition("-")
                    gone += self.index.put(Object(bytes.fromhex(digest), int(version, 16)), file.stat().st_size)
        self._delete(gone)

    def _delete(self, gone: list[Object]) -> None:
        for each in gone:
            self.path(each).unlink(missing_ok=True)

    def _clean(self) -> None:
        """Delete what this worker's predecessor was writing, or everybody's."""
        for file in self._incoming.iterdir():
            if self.alone or file.name.startswith(f"{self._worker}-"):
                file.unlink(missing_ok=True)


def _try_alone(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(users, fcntl.LOCK_SH)
        return False
    return True
