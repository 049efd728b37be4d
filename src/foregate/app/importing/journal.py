"""How far each file was imported: `imports.json` in the data directory, replaced after every slice."""

import os
import secrets
from bisect import bisect_right
from pathlib import Path

import msgspec

from foregate.adapters.embedded.locks import try_hold
from foregate.app.importing.source import HEAD_BYTES, Fingerprint, fingerprint
from foregate.app.paths import write_private

FILES_MAX = 10_000  # the oldest are forgotten; their batches are known to the bus for a day
STOPS_MAX = 2_000  # of a file; the oldest are forgotten, that is those of more than a day if it is read every minute


class Progress(msgspec.Struct):
    """`offset`: of the first byte that was not imported, in the unpacked file. Counts are of lines.

    `stops`: where slices have ended because the file did. It has grown since; when it is read again they end there
    again, or the bus would take a longer slice for the shorter one that it knows.
    """

    head_bytes: int
    digest: str
    offset: int = 0
    lines: int = 0
    imported: int = 0
    malformed: int = 0
    ignored: int = 0  # comments, headings, empty lines
    name: str = ""
    heading: str = ""  # the last that the format has learnt from
    id: str = ""  # by which the bus knows its slices; "" is `digest`, of those noted without one
    stops: list[int] = []

    @property
    def known_as(self) -> str:
        return self.id or self.digest

    def stop_after(self, offset: int) -> int | None:
        """Where a slice that begins at `offset` ends at the latest."""
        at = bisect_right(self.stops, offset)
        return self.stops[at] if at < len(self.stops) else None

    def note_stop(self, end: int) -> bool:
        """Whether it was not known yet."""
        at = bisect_right(self.stops, end)
        if at and self.stops[at - 1] == end:
            return False
        self.stops.insert(at, end)
        del self.stops[:-STOPS_MAX]
        return True


class Journal:
    """Of one import at a time. Raises OSError where the file cannot be read or written, or another import has it."""

    def __init__(self, file: Path) -> None:
        lock = try_hold(file.with_suffix(".lock"))
        if lock is None:
            raise OSError(f"another import is under way with {file}: wait until it is done")
        self._lock = lock
        self._file = file
        try:
            self._known = msgspec.json.decode(file.read_bytes(), type=list[Progress])
        except FileNotFoundError:
            self._known = []
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise OSError(
                f"{file} is damaged ({error}): delete it, and files are imported from their beginning"
            ) from error

    def of(self, path: Path, name: str) -> Progress:
        """What is known of this file, by how it begins. Noted before anything of it is imported.

        One that was short when it was seen first is known by more of it as it grows: many begin with the same heading.
        """
        new = fingerprint(path)
        progress = self._find(path)
        if progress is None:
            own = new.digest if new.head_bytes == HEAD_BYTES else secrets.token_hex(16)
            progress = Progress(new.head_bytes, new.digest, name=name, id=own)
            self._known.append(progress)
            del self._known[:-FILES_MAX]
        elif new.head_bytes > progress.head_bytes:
            progress.id = progress.known_as
            progress.head_bytes, progress.digest = new
        self.save()
        return progress

    def _find(self, path: Path) -> Progress | None:
        heads: dict[int, Fingerprint] = {}
        for known in reversed(self._known):
            size = known.head_bytes
            head = heads[size] if size in heads else heads.setdefault(size, fingerprint(path, size))
            if head.digest == known.digest and head.head_bytes:
                return known
        return None

    def forget(self, progress: Progress) -> Progress:
        """From the beginning."""
        fresh = Progress(progress.head_bytes, progress.digest, name=progress.name, id=progress.id, stops=progress.stops)
        self._known[self._known.index(progress)] = fresh
        return fresh

    def save(self) -> None:
        write_private(self._file, msgspec.json.encode(self._known).decode())

    def close(self) -> None:
        """Let others import."""
        os.close(self._lock)
