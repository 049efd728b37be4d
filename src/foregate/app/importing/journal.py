"""How far each file was imported: `imports.json` in the data directory, replaced after every slice."""

import os
from pathlib import Path

import msgspec

from foregate.adapters.embedded.locks import try_hold
from foregate.app.importing.source import Fingerprint, fingerprint
from foregate.app.paths import write_private

FILES_MAX = 10_000  # the oldest are forgotten; their batches are known to the bus for a day


class Progress(msgspec.Struct):
    """`offset`: of the first byte that was not imported, in the unpacked file. Counts are of lines."""

    head_bytes: int
    digest: str
    offset: int = 0
    lines: int = 0
    imported: int = 0
    malformed: int = 0
    ignored: int = 0  # comments, headings, empty lines
    name: str = ""
    heading: str = ""  # the last that the format has learnt from


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
        """What is known of this file, by how it begins."""
        heads: dict[int, Fingerprint] = {}
        for known in reversed(self._known):
            head = heads.setdefault(known.head_bytes, fingerprint(path, known.head_bytes))
            if head.digest == known.digest and head.head_bytes:
                return known
        new = fingerprint(path)
        progress = Progress(new.head_bytes, new.digest, name=name)
        self._known.append(progress)
        del self._known[:-FILES_MAX]
        return progress

    def forget(self, progress: Progress) -> Progress:
        """From the beginning."""
        fresh = Progress(progress.head_bytes, progress.digest, name=progress.name)
        self._known[self._known.index(progress)] = fresh
        return fresh

    def save(self) -> None:
        write_private(self._file, msgspec.json.encode(self._known).decode())

    def close(self) -> None:
        """Let others import."""
        os.close(self._lock)
