"""Looking at a data directory or a backup for damage. Changes nothing, and may run beside a foregate."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from foregate.adapters.embedded.archive.manifest import FILE as ARCHIVE_MANIFEST
from foregate.adapters.embedded.archive.manifest import Manifest, Segment
from foregate.adapters.embedded.copying import damage_of
from foregate.app.backup.contents import ARCHIVE, LISTING, databases, held, read_listing
from foregate.app.paths import DataDir
from foregate.kernel.clock import Clock

_JUST_WRITTEN_S = 3_600.0  # a file without a name in the manifest may be one that is being written


class Finding(NamedTuple):
    """`file` is relative to the folder that was looked at."""

    file: str
    problem: str


def check(folder: Path, clock: Clock, *, quick: bool = False) -> Iterator[Finding]:
    """All that is wrong. `quick` trusts what is written in files' heads and ends. Raises OSError."""
    data = DataDir(folder)
    if not folder.is_dir():
        raise OSError(f"{folder} is no folder")
    stores = databases(data)
    if not stores and not (folder / LISTING).exists():
        raise OSError(f"{folder} is neither a data directory nor a backup: there is no store in it")
    if (folder / LISTING).exists():
        yield from _of_backup(folder, quick)
    whole = True
    for name in stores:
        for problem in damage_of(folder / name, quick=quick):
            whole = whole and name != f"{ARCHIVE}/{ARCHIVE_MANIFEST}"
            yield Finding(name, problem)
    if whole and (data.archive / ARCHIVE_MANIFEST).exists():
        yield from _of_archive(data, clock, quick)


def _of_backup(folder: Path, quick: bool) -> Iterator[Finding]:
    for name, expected in read_listing(folder).files.items():
        path = folder / name
        if not path.is_file():
            yield Finding(name, "is missing")
        elif path.stat().st_size != expected.bytes:
            yield Finding(name, f"has {path.stat().st_size} bytes instead of {expected.bytes}")
        elif not quick and held(path) != expected:
            yield Finding(name, "has changed since it was backed up (its SHA-256 is another)")


def _of_archive(data: DataDir, clock: Clock, quick: bool) -> Iterator[Finding]:
    from foregate.adapters.embedded.archive import checking  # pyarrow: for who has an archive alone

    manifest = Manifest(data.archive, read_only=True)
    try:
        known = {*manifest.replaced()}
        for segment in manifest.segments():
            known.add(segment.file)
            problems = list(checking.damage_of_segment(data.archive, segment, quick=quick))
            if problems and _still_named(manifest, segment):
                yield from (Finding(f"{ARCHIVE}/{segment.file}", problem) for problem in problems)
        known |= {segment.file for segment in manifest.segments()}
        for name in checking.strangers(data.archive, known, clock.now() - _JUST_WRITTEN_S):
            yield Finding(f"{ARCHIVE}/{name}", "is not in the manifest: it will be deleted at the next start")
    finally:
        manifest.close()


def _still_named(manifest: Manifest, segment: Segment) -> bool:
    """It may have been merged and deleted while we looked."""
    return any(segment.file == each.file for each in manifest.segments(segment.kind, segment.org))
