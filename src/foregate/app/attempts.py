"""What became of the last attempt to reload the configuration: kept in reload.json, for the console and the CLI."""

from typing import Literal

import msgspec

from foregate.app.paths import DataDir, write_private

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
    """Raises OSError."""
    write_private(data.reload, msgspec.json.encode(attempt).decode(), durable=False)


def read_attempt(data: DataDir) -> Attempt | None:
    """The last attempt; None when there is none to be read."""
    try:
        return _decode(data.reload.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
