"""One file, slice by slice: read, made events, appended to the bus, noted. A slice that was appended before is known to
the bus by its place in the file, so that being killed between the last two steps doubles nothing."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from foregate.app.importing.journal import Journal, Progress
from foregate.app.importing.making import Belonging, event_of
from foregate.app.importing.source import LINE_BYTES_MAX, SLICE_LINES_MAX, Line, opened, slices
from foregate.kernel.clock import Clock
from foregate.ports.bus import Append, Bus
from foregate.telemetry.formats.items import BYTES_MAX, DURATION_MS_MAX
from foregate.telemetry.formats.logs import Entry, LineFormat, Unreadable, guess
from foregate.telemetry.formats.logs.har import entries
from foregate.telemetry.identity import Routes
from foregate.wire import TOPIC_HISTORY, partition_of
from foregate.wire.event import RequestEvent

HAR_BYTES_MAX = 268_435_456
MALFORMED_LISTED_MAX = 20
GUESS_LINES = 50
_FUTURE_MAX_S = 300.0
_encode = msgspec.msgpack.Encoder().encode


class BadImport(Exception):
    """This cannot be imported; the sentence says why and what to do."""


class Malformed(NamedTuple):
    """`line` from 1 (of a HAR file the entry)."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """`format_name`: None to guess it. `again`: from the beginning, though it was imported before."""

    path: Path
    belonging: Belonging
    format_name: str | None = None
    again: bool = False


@dataclass(slots=True)
class Outcome:
    """Of this run; `progress` of the whole file. `malformed` are the first ones."""

    format_name: str
    progress: Progress
    lines: int = 0
    imported: int = 0
    malformed: list[Malformed] = field(default_factory=list)
    malformed_count: int = 0
    already: int = 0  # lines that a run before this one had appended, killed before it could note them


Make = Callable[[str], LineFormat]
Tell = Callable[[int, Outcome], None]  # bytes of the file on the disk that are read


def import_file(
    wanted: Wanted,
    bus: Bus,
    journal: Journal,
    clock: Clock,
    make: Make,
    tell: Tell,
    reject: Callable[[Malformed], None],
) -> Outcome:
    """Import what is new in the file. `make` gives a format by name; `tell` hears of each slice that is stored,
    `reject` of every malformed line. Raises BadImport, OSError; all that was told stays imported."""
    progress = journal.of(wanted.path, wanted.path.name)
    if wanted.again:
        progress = journal.forget(progress)
    name = wanted.format_name or _guessed(wanted.path)
    outcome = Outcome(name, progress)
    routes = Routes()
    path = wanted.path
    for piece in _har_slices(path, progress) if name == "har" else _slices(path, make(name), progress):
        if len(piece.read) < SLICE_LINES_MAX and progress.note_stop(piece.end):
            journal.save()  # first: killed behind the bus's step, we have to find this slice again, and no longer one
        _take(piece, wanted, routes, bus, clock, outcome, reject)
        journal.save()
        tell(piece.position, outcome)
    return outcome


class _Piece(NamedTuple):
    """`read`: line number and what became of it (None: it says nothing)."""

    offset: int
    end: int
    position: int
    read: Sequence[tuple[int, Entry | Malformed | None]]
    heading: str = ""


def _guessed(path: Path) -> str:
    with opened(path) as file:
        head = file.read(1_048_576)
    if head.lstrip()[:1] == b"{" and b'"log"' in head[:4_096] and b'"entries"' in head:
        return "har"
    lines = head.decode("utf-8", "replace").splitlines()[:GUESS_LINES]
    name = guess(lines)
    if name is None:
        raise BadImport(f"{path} is of no known format: say which with --format, and see its first lines")
    return name


def _slices(path: Path, format_: LineFormat, progress: Progress) -> Iterator[_Piece]:
    if progress.heading:
        _read(format_, Line(0, progress.heading, True))
    heading = progress.heading
    for each in slices(path, progress.offset, progress.lines + 1, progress.stop_after):
        read: list[tuple[int, Entry | Malformed | None]] = []
        end = each.end
        for line in each.lines:
            found = _read(format_, line)
            if line.text.startswith("#Fields:"):
                heading = line.text
            if (
                not line.whole
                and isinstance(found, Malformed)
                and line is each.lines[-1]
                and len(line.text) < LINE_BYTES_MAX
            ):
                end -= len(line.text.encode())  # still being written: it is read when it is whole
                break
            read.append((line.number, found))
        if read:
            yield _Piece(each.offset, end, each.position, read, heading)


def _read(format_: LineFormat, line: Line) -> Entry | Malformed | None:
    try:
        return format_.read(line.text)
    except Unreadable as error:
        return Malformed(line.number, str(error), line.text[:200])


def _har_slices(path: Path, progress: Progress) -> Iterator[_Piece]:
    size = path.stat().st_size
    if size > HAR_BYTES_MAX:
        raise BadImport(f"{path} is larger than {HAR_BYTES_MAX >> 20} MB: it would have to be read whole")
    with opened(path) as file:
        document = file.read(HAR_BYTES_MAX)
    try:
        found = list(entries(document))
    except Unreadable as error:
        raise BadImport(f"{path}: {error}") from None
    for begin in range(progress.offset, len(found), SLICE_LINES_MAX):
        part = found[begin : begin + SLICE_LINES_MAX]
        read = [
            (number, Malformed(number, str(each), "") if isinstance(each, Unreadable) else each)
            for number, each in enumerate(part, begin + 1)
        ]
        yield _Piece(begin, begin + len(part), size * (begin + len(part)) // len(found), read)


def _take(
    piece: _Piece, wanted: Wanted, routes: Routes, bus: Bus, clock: Clock, outcome: Outcome,
    reject: Callable[[Malformed], None],
) -> None:  # fmt: skip
    """Append the good lines and note the rest; then the piece counts as imported."""
    events: list[RequestEvent] = []
    malformed: list[Malformed] = []
    latest_s = clock.now() + _FUTURE_MAX_S
    for number, read in piece.read:
        if isinstance(read, Malformed):
            malformed.append(read)
        elif read is not None and not 0.0 <= read.time_s <= latest_s:
            malformed.append(Malformed(number, f"its time ({read.time_s:.0f}) is not in the past", ""))
        elif read is not None and (reason := _absurd(read)):
            malformed.append(Malformed(number, reason, ""))
        elif read is not None:
            events.append(event_of(read, wanted.belonging, routes))
    progress = outcome.progress
    if events and not _append(events, bus, progress, piece.offset, wanted.belonging):
        outcome.already += len(events)
    for each in malformed:
        reject(each)
    outcome.malformed += malformed[: MALFORMED_LISTED_MAX - len(outcome.malformed)]
    outcome.malformed_count += len(malformed)
    outcome.lines += len(piece.read)
    outcome.imported += len(events)
    progress.offset, progress.heading = piece.end, piece.heading
    progress.lines += len(piece.read)
    progress.imported += len(events)
    progress.malformed += len(malformed)
    progress.ignored += len(piece.read) - len(events) - len(malformed)


def _absurd(entry: Entry) -> str:
    """What no request can have had, and no store has a place for; "" where there is none."""
    if max(entry.latency_ms, entry.upstream_ms) > DURATION_MS_MAX:
        return "it took longer than a day"
    if max(entry.request_bytes, entry.response_bytes) > BYTES_MAX:
        return "its size is beyond all measure"
    return ""


def _append(events: Iterable[RequestEvent], bus: Bus, progress: Progress, offset: int, of: Belonging) -> bool:
    """False when this slice was appended before."""
    by_partition: dict[int, list[RequestEvent]] = {}
    for event in events:
        by_partition.setdefault(partition_of(event.org, event.service, bus.partitions), []).append(event)
    once = hashlib.sha256(repr((progress.known_as, offset, of)).encode()).hexdigest()
    appends = [
        Append(TOPIC_HISTORY, partition, _encode(group), len(group), once=once)
        for partition, group in sorted(by_partition.items())
    ]
    return bus.append_all(appends)[0]
