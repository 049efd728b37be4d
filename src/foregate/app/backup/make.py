"""Making a backup of a data directory that may be in use."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from foregate import __version__
from foregate.adapters.embedded.archive.manifest import BACKUP_LOCK, STAGING, Manifest, Segment
from foregate.adapters.embedded.copying import copy_database
from foregate.adapters.embedded.locks import try_hold
from foregate.app.backup.contents import (
    ARCHIVE,
    LISTING,
    VERSION,
    Held,
    Listing,
    copy,
    databases,
    held,
    link_or_copy,
    plain_files,
)
from foregate.app.paths import DataDir, write_private
from foregate.kernel.clock import Clock


def back_up(data: DataDir, target: Path, clock: Clock) -> Listing:
    """Into `target`, a folder that is not there or empty. Raises OSError."""
    if target.exists() and any(target.iterdir()):
        raise OSError(f"{target} is not empty: give a folder that is not there yet")
    if target.resolve().is_relative_to(data.root.resolve()):
        raise OSError(f"{target} is in the data directory itself: a disk that breaks would take both")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    files: dict[str, Held] = {}
    for name in plain_files(data):
        copy(data.root / name, target / name)
        files[name] = held(target / name)
    for name in databases(data):
        (target / name).parent.mkdir(mode=0o700, exist_ok=True)
        copy_database(data.root / name, target / name)
        if name.startswith(f"{ARCHIVE}/"):
            files |= _segments(data, target)
        files[name] = held(target / name)
    listing = Listing(VERSION, __version__, clock.now(), files)
    write_private(target / LISTING, msgspec.json.format(msgspec.json.encode(listing)).decode() + "\n")
    return listing


def _segments(data: DataDir, target: Path) -> dict[str, Held]:
    """Those that the copied manifest names. They get a second name first, which takes no time, so that none is deleted
    while a slow disk takes the others."""
    manifest = Manifest(target / ARCHIVE, read_only=True)
    segments = manifest.segments()
    manifest.close()
    with _staging(data.archive) as staging:
        for segment in segments:
            link_or_copy(data.archive / segment.file, staging / segment.file)
        return {f"{ARCHIVE}/{each.file}": _taken(staging, target / ARCHIVE, each) for each in segments}


@contextmanager
def _staging(archive: Path) -> Iterator[Path]:
    """The folder of second names, for one backup at a time. What a killed one has left is deleted by the next, or by
    the archive's writer. Raises OSError."""
    held = try_hold(archive / BACKUP_LOCK)
    if held is None:
        raise OSError(f"{archive} is being backed up by another process: wait for it, or stop it")
    staging = archive / STAGING
    try:
        shutil.rmtree(staging, ignore_errors=True)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(held)


def _taken(staging: Path, target: Path, segment: Segment) -> Held:
    link_or_copy(staging / segment.file, target / segment.file)
    return Held(segment.bytes, segment.digest)
