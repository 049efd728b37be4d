"""What of a data directory is in a backup, and how a backup says what it holds."""

import hashlib
import os
import shutil
from pathlib import Path

import msgspec

from foregate.adapters.embedded.archive.manifest import FILE as ARCHIVE_MANIFEST
from foregate.app.paths import DataDir

LISTING = "backup.json"  # written last: a backup without it is not complete
VERSION = 1
ARCHIVE = "archive"
_PLAIN = ("pepper", "console.token", "snapshot.json", "limits.bin", "verdicts.json", "false-alarms.json")
_READ_BYTES = 1_048_576


class Held(msgspec.Struct, frozen=True):
    """One file: its size and SHA-256 (hexadecimal)."""

    bytes: int
    sha256: str


class Listing(msgspec.Struct, frozen=True):
    """`files`: path within the backup → what it is. `made_s`: Unix seconds. `foregate`: the version that made it."""

    version: int
    foregate: str
    made_s: float
    files: dict[str, Held]


def databases(data: DataDir) -> list[str]:
    """The SQLite files in the order in which they have to be copied: the bus after all that follow it."""
    found = sorted(path.name for path in data.root.glob("*.sqlite") if path != data.bus)
    if (data.archive / ARCHIVE_MANIFEST).exists():
        found.append(f"{ARCHIVE}/{ARCHIVE_MANIFEST}")
    return [*found, data.bus.name] if data.bus.exists() else found


def plain_files(data: DataDir) -> list[str]:
    """Files that are copied as they are."""
    folders = (data.certificates, data.minutes, data.models)
    found = (path.relative_to(data.root) for folder in folders for path in folder.glob("**/*") if path.is_file())
    return [
        *(name for name in _PLAIN if (data.root / name).is_file()),
        *sorted(str(path) for path in found if not any(part.startswith(".") for part in path.parts)),
    ]


def read_listing(folder: Path) -> Listing:
    """Raises OSError where there is none, or one that is damaged or newer than we are."""
    path = folder / LISTING
    try:
        listing = msgspec.json.decode(path.read_bytes(), type=Listing)
    except FileNotFoundError:
        raise OSError(f"{folder} is no complete backup: it has no {LISTING}") from None
    except msgspec.DecodeError as error:
        raise OSError(f"{path} is damaged: {error}") from error
    if listing.version != VERSION:
        raise OSError(f"{folder} was made by foregate {listing.foregate}: install that version to restore it")
    for name in listing.files:
        if os.path.isabs(name) or ".." in Path(name).parts:
            raise OSError(f"{path} is damaged: it names {name}")
    return listing


def held(path: Path) -> Held:
    """What a file is. Raises OSError."""
    with path.open("rb") as file:
        return Held(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def link_or_copy(source: Path, target: Path) -> None:
    """For files that never change: the same one under another name, where the file system can do that."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        copy(source, target)


def copy(source: Path, target: Path) -> None:
    """On the disk, readable by the owner alone."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as reading, os.fdopen(descriptor, "wb") as writing:
        shutil.copyfileobj(reading, writing, _READ_BYTES)
        writing.flush()
        os.fsync(writing.fileno())
