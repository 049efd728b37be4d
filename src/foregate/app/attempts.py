"""What became of the last attempt to reload the configuration: kept in reload.json, for the console and the CLI."""

import errno
from typing import Literal

import msgspec

from foregate.app.paths import DataDir, write_private

# What fits a block of 4,096 bytes in any case: a character may take six of them (a quotation mark two).
PROBLEMS_WITHOUT_ROOM = 2
PROBLEM_CHARS_WITHOUT_ROOM = 300

Outcome = Literal["started", "applied", "unchanged", "refused"]
Cause = Literal["start", "file", "signal"]


class Attempt(msgspec.Struct, frozen=True):
    """`version` is in force after it; `problems` says why another is not. `at_s`: Unix seconds of its end.

    `signals`: how many requests to reload (SIGHUP) had come before it began: who asked knows by it that this attempt
    is an answer. `pid` is the supervisor's. `later`: keys whose change waits for a restart.
    """

    outcome: Outcome
    version: str
    at_s: float
    by: Cause
    pid: int
    problems: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    signals: int = 0
    took_ms: float = 0.0
    number: int = 0


_decode = msgspec.json.Decoder(Attempt).decode


def write_attempt(data: DataDir, attempt: Attempt) -> None:
    """Raises OSError. On a full disk it is written over the attempt before, as much of its problems as has room."""
    try:
        write_private(data.reload, msgspec.json.encode(attempt).decode(), durable=False)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _overwrite(data, attempt)


def _overwrite(data: DataDir, attempt: Attempt) -> None:
    """Into the block that the file has already: who asked for it waits for this answer. Raises OSError."""
    problems = tuple(each[:PROBLEM_CHARS_WITHOUT_ROOM] for each in attempt.problems[:PROBLEMS_WITHOUT_ROOM])
    small = msgspec.json.encode(msgspec.structs.replace(attempt, problems=problems, later=()))
    with data.reload.open("r+b", buffering=0) as file:
        file.write(small)
        file.truncate(len(small))


def read_attempt(data: DataDir) -> Attempt | None:
    """The last attempt; None when there is none to be read."""
    try:
        return _decode(data.reload.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
