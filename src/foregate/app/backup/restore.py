"""A backup becomes a data directory."""

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
    if data.root.exists() and any(data.root.iterdir()):
        raise OSError(f"{data.root} is not empty: nothing is overwritten; move it away, or give another --data-dir")
    building = data.root.with_name(f".{data.root.name}.restoring-{os.getpid()}")
    building.parent.mkdir(parents=True, exist_ok=True)
    building.mkdir(mode=0o700)
    try:
        for name, expected in listing.files.items():
            take = link_or_copy if name.startswith(f"{ARCHIVE}/") and name.endswith(SUFFIX) else copy
            take(backup / name, building / name)
            if held(building / name) != expected:
                raise OSError(f"{backup / name} is not what was backed up: it was changed or is damaged")
        if data.root.exists():
            data.root.rmdir()
        building.rename(data.root)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return listing
