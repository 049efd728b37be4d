"""What is too old, or too much, goes: whole segments where possible, else the segment is written anew without it."""

from collections.abc import Sequence
from pathlib import Path

from foregate.adapters.embedded.archive.manifest import Segment
from foregate.adapters.embedded.archive.merging import HELD_ITEMS, batches
from foregate.adapters.embedded.archive.segments import SegmentFile, delete
from foregate.adapters.sql.columns import PER_SECOND, TIMES

_TRIM_TO = 0.95  # of the bound, so that there is a rest between two trims


def expire(root: Path, segment: Segment, older_than_s: float) -> list[Segment]:
    """What is left of it: nothing, or one segment. Raises OSError."""
    if segment.last_s < older_than_s:
        return []
    kind = segment.kind
    border = older_than_s * PER_SECOND[kind]
    with SegmentFile(root, kind, segment.org, segment.day) as file:
        for table in batches(root / segment.file, kind, HELD_ITEMS):
            times = table.column(TIMES[kind]).to_numpy()
            file.write(table.slice(int((times < border).sum())))
    if file.segment.items:
        return [file.segment]
    delete(root, [file.segment.file])  # the border lies between the item's time and what a float can say of it
    return []


def trim(segments: Sequence[Segment], bytes_max: int) -> list[Segment]:
    """The oldest, that have to go when there are more bytes than that."""
    used = sum(segment.bytes for segment in segments)
    chosen: list[Segment] = []
    if used <= bytes_max:
        return chosen
    for segment in sorted(segments, key=lambda each: (each.last_s, each.file)):
        if used <= bytes_max * _TRIM_TO:
            break
        chosen.append(segment)
        used -= segment.bytes
    return chosen
