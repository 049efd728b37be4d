"""What may stand beside a recording: `<stem>.calls.csv` (who calls whom) and `<stem>.faults.csv` (what was broken)."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isfinite, nan
from pathlib import Path
from typing import Final

from foregate.adapters.embedded.recorded.model import BadRecording, stem_of
from foregate.wire.minutes import FaultNote

LINES_MAX: Final = 1_000_000  # of one side file: one more is refused
CALLS: Final = ("system", "caller", "callee")
FAULTS: Final = ("system", "kind", "service", "start", "duration_s", "benign", "heals")
_YES_NO: Final = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}


def read_calls(paths: Sequence[Path], systems: set[str]) -> dict[str, set[tuple[str, str]]]:
    """System → pairs (caller, callee). Raises BadRecording, as does `read_faults`."""
    found: dict[str, set[tuple[str, str]]] = {}
    for where, line in _lines(paths, "calls", CALLS, systems):
        if not line["caller"] or not line["callee"]:
            raise BadRecording(f"{where}: caller or callee is empty")
        found.setdefault(line["system"], set()).add((line["caller"], line["callee"]))
    return found


def read_faults(paths: Sequence[Path], systems: set[str]) -> dict[str, list[FaultNote]]:
    """System → its faults, by their start."""
    found: dict[str, list[FaultNote]] = {}
    for where, line in _lines(paths, "faults", FAULTS[:5], systems):
        note = FaultNote(
            line["kind"],
            line["service"],
            _time(where, line["start"]),
            _number(where, "duration_s", line["duration_s"]),
            _number(where, "severity", line.get("severity") or "0"),
            _yes(where, "heals", line.get("heals")),
            _yes(where, "benign", line.get("benign")),
        )
        found.setdefault(line["system"], []).append(note)
    for notes in found.values():
        notes.sort(key=lambda note: (note.start_s, note.service, note.kind))
    return found


def _lines(
    paths: Sequence[Path], what: str, needed: tuple[str, ...], systems: set[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """(file and line, the line's fields) of every side file that is there; each file once."""
    for path in dict.fromkeys(path.with_name(f"{stem_of(path)}.{what}.csv") for path in paths):
        if not path.exists():
            continue
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from _checked(path, csv.DictReader(file), needed, systems)


def _checked(
    path: Path, reader: "csv.DictReader[str]", needed: tuple[str, ...], systems: set[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise BadRecording(f"{path} has no column {', '.join(missing)}; it needs {', '.join(needed)}")
        for line in reader:
            where = f"{path}, line {reader.line_num}"
            if reader.line_num > LINES_MAX:
                raise BadRecording(f"{where}: at most {LINES_MAX:,} lines are read")
            if any(line[name] is None for name in needed):
                raise BadRecording(f"{where}: fields are missing; it needs {', '.join(needed)}")
            if line["system"] not in systems:
                raise BadRecording(f"{where}: there is no system {line['system']!r} in the recording")
            yield where, line
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadRecording(f"{path}, after line {reader.line_num}: {error}") from error


def _time(where: str, text: str) -> float:
    try:
        if isfinite(seconds := float(text)):
            return seconds
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadRecording(f"{where}: start is {text!r}, neither ISO 8601 nor Unix seconds") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _number(where: str, name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise BadRecording(f"{where}: {name} is {text!r}, which is no number")
    return number


def _yes(where: str, name: str, text: str | None) -> bool:
    answer = _YES_NO.get((text or "").strip().lower())
    if answer is None:
        raise BadRecording(f"{where}: {name} is {text!r}: true or false")
    return answer
