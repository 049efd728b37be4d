"""A log file as slices of lines. A slice depends on the file, where it begins and where it has to stop: it can be read
again."""

import bz2
import gzip
import hashlib
import lzma
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

SLICE_LINES_MAX = 5_000
LINE_BYTES_MAX = 65_536  # a longer one is unreadable; its rest is skipped
HEAD_BYTES = 4_096  # tells files apart
_OPENERS: Mapping[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


class Line(NamedTuple):
    """`number` from 1. `whole`: it ends with a newline, and is not cut at `LINE_BYTES_MAX`."""

    number: int
    text: str
    whole: bool


class Slice(NamedTuple):
    """`offset` to `end`: its bytes in the (unpacked) file; `position`: how far the file on the disk is read by then."""

    offset: int
    end: int
    lines: list[Line]
    position: int


def opened(path: Path) -> IO[bytes]:
    """Unpacked by its suffix: .gz, .bz2, .xz. Raises OSError."""
    opener = _OPENERS.get(path.suffix)
    file: IO[bytes] = path.open("rb") if opener is None else opener(path, "rb")
    return file


class Fingerprint(NamedTuple):
    """The first `head_bytes` of a file, hashed: they stay the same while it grows, and when it is rotated."""

    head_bytes: int
    digest: str


def fingerprint(path: Path, head_bytes: int = HEAD_BYTES) -> Fingerprint:
    """Raises OSError."""
    with opened(path) as file:
        head = file.read(head_bytes)
    return Fingerprint(len(head), hashlib.sha256(head).hexdigest())


def slices(
    path: Path, offset: int, line_number: int, stop_after: Callable[[int], int | None] = lambda offset: None
) -> Iterator[Slice]:
    """All lines from `offset` on, which is the beginning of a line, the last of them perhaps not whole.

    `stop_after(offset)`: where a slice that begins there ends, though it could hold more. Raises OSError;
    of a damaged archive what can be read comes first.
    """
    with path.open("rb") as raw:
        opener = _OPENERS.get(path.suffix)
        file: IO[bytes] = raw if opener is None else opener(raw, "rb")
        file.seek(offset)  # an archive is unpacked again up to there
        while True:
            begin, stop = offset, stop_after(offset)
            lines: list[Line] = []
            while len(lines) < SLICE_LINES_MAX and offset != stop and (data := file.readline(LINE_BYTES_MAX)):
                offset += len(data)
                whole = data.endswith(b"\n")
                if not whole:
                    offset += _rest_of_line(file)
                lines.append(Line(line_number, data.decode("utf-8", "replace").rstrip("\r\n"), whole))
                line_number += 1
            if not lines:
                return
            yield Slice(begin, offset, lines, raw.tell())


def _rest_of_line(file: IO[bytes]) -> int:
    """Skip it; how many bytes it has."""
    size = 0
    while part := file.readline(LINE_BYTES_MAX):
        size += len(part)
        if part.endswith(b"\n"):
            break
    return size
