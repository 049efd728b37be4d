"""Whether the archive has what its manifest says, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from foregate.adapters.embedded.archive.manifest import Segment
from foregate.adapters.embedded.archive.segments import DAY_S, digest, files_under


def damage_of_segment(root: Path, segment: Segment, *, quick: bool) -> Iterator[str]:
    """What is wrong with its file. `quick`: as its size and footer tell, without reading all of it."""
    path = root / segment.file
    try:
        size = path.stat().st_size
    except OSError as error:
        yield f"cannot be read ({error.strerror}): {segment.items} items of {segment.org} are missing"
        return
    if size != segment.bytes:
        yield f"has {size} bytes instead of {segment.bytes}"
        return
    try:
        footer = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        yield f"is no Parquet file any more: {error}"
        return
    if footer.num_rows != segment.items:
        yield f"has {footer.num_rows} items instead of {segment.items}"
    if set(footer.schema.names) != segment.names:
        yield "has other columns than the manifest says"
    if not segment.day * DAY_S <= segment.first_s <= segment.last_s < (segment.day + 1) * DAY_S + 1:
        yield "is filed under another day than its items are of"
    if not quick and digest(path) != segment.digest:
        yield "has changed since it was written (its SHA-256 is another)"


def strangers(root: Path, known: set[str], older_than_s: float) -> list[str]:
    """Segment files that the manifest does not name, and that nobody is just writing."""
    found = []
    for path in files_under(root):
        name = str(path.relative_to(root))
        try:
            if name not in known and path.stat().st_mtime < older_than_s:
                found.append(name)
        except FileNotFoundError:
            continue
    return sorted(found)
