"""A backup becomes a data directory."""

import glob
import os
import shutil
from pathlib import Path

from foregate.adapters.embedded.archive.segments import SUFFIX
from foregate.app.backup.contents import ARCHIVE, Listing, copy, held, link_or_copy, read_listing
from foregate.app.paths import DataDir


def restore(backup: Path, data: DataDir) -> Listing:
    """Every file is compared with what the backup says of it. All of it is there afterwards, or nothing.

    Raises OSError, also where there is something in the data directory.
    """
    listing = read_listing(backup)
    root = data.root.resolve()
    if root.exists() and any(root.iterdir()):
        raise OSError(f"{data.root} is not empty: nothing is overwritten; move it away, or give another --data-dir")
    root.parent.mkdir(parents=True, exist_ok=True)
    _delete_left(root)
    building = root.with_name(f"{_prefix(root)}{os.getpid()}")
    building.mkdir(mode=0o700)
    try:
        for name, expected in listing.files.items():
            take = link_or_copy if name.startswith(f"{ARCHIVE}/") and name.endswith(SUFFIX) else copy
            take(backup / name, building / name)
            if held(building / name) != expected:
                raise OSError(f"{backup / name} is not what was backed up: it was changed or is damaged")
        if root.exists():
            root.rmdir()
        building.rename(root)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return listing


def _prefix(root: Path) -> str:
    return f".{root.name}.restoring-"


def _delete_left(root: Path) -> None:
    """What restores that were killed have left beside it."""
    for left in root.parent.glob(f"{glob.escape(_prefix(root))}*"):
        owner = left.name.removeprefix(_prefix(root))
        if owner.isdecimal() and not _runs(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
