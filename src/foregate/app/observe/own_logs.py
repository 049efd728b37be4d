"""The log of foregate itself, on its way to the log search: each process writes it to a file of its own beside stderr,
and the keeper reads those files. A file outlives kill -9, costs the process a write, and needs no store to be well."""

import os
from collections.abc import Callable, MutableMapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from foregate.app.paths import write_private
from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.wire import TOPIC_LOGS
from foregate.wire.log import LogRecord, encode_logs

FILE_BYTES_MAX = 4_194_304  # then it is renamed to .1, in place of the one before: two of them per process
READ_BYTES_MAX = 262_144  # at a time
FILES_MAX = 256  # that are remembered
_TEXT_CHARS_MAX = 1_024  # of an attribute
_ATTRIBUTES_MAX = 32
_SEVERITIES = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
_encode = msgspec.json.Encoder(enc_hook=repr).encode


class OwnLog:
    """A structlog processor: writes each event as a line of `path`, and passes it on.

    When that fails the event still goes to stderr; the next one tries again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._size = 0

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        try:
            self._write(_encode(dict(event)) + b"\n")
        except (OSError, TypeError, ValueError):  # a full disk must not silence stderr, where it is told
            self._close()
        return event

    def _write(self, line: bytes) -> None:
        if self._size + len(line) > FILE_BYTES_MAX:
            self._close()
            self._path.replace(self._path.with_suffix(".1"))
        if self._descriptor < 0:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._size = os.fstat(self._descriptor).st_size
        self._size += os.write(self._descriptor, line)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._size = -1, 0


class OwnLogReader:
    """Moves what is in `folder` to the bus; keeps `app.keeping.Keeping`. `origin` makes a record of its fields.

    How far it has come stands in `read.json` there: after kill -9 between the bus and that file the last lines come
    twice. What a process writes faster than two files hold is gone, and only there.
    """

    def __init__(self, folder: Path, bus: Bus, org: str, environment: str, instance: str, clock: Clock) -> None:
        self._folder = folder
        self._bus = bus
        self._origin = (org, environment, instance)
        self._clock = clock
        self._state = folder / "read.json"
        self._read = self._remembered()

    def _remembered(self) -> dict[str, int]:
        """File (inode and checksum of its first line) → offset."""
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}

    def step(self) -> int:
        """How many records were moved. Raises OSError."""
        moved = 0
        for path in sorted(self._folder.glob("*.1")) + sorted(self._folder.glob("*.ndjson")):
            moved += self._move(path)
        if moved:
            self._read = dict(list(self._read.items())[-FILES_MAX:])
            write_private(self._state, msgspec.json.encode(self._read).decode(), durable=False)
        return moved

    def _move(self, path: Path) -> int:
        try:
            with path.open("rb") as file:
                # An inode is used again once a file is gone; how the file begins tells them apart.
                name = f"{os.fstat(file.fileno()).st_ino}:{crc32(file.readline(READ_BYTES_MAX))}"
                file.seek(self._read.get(name, 0))
                begin = file.tell()
                data = file.read(READ_BYTES_MAX)
        except FileNotFoundError:  # renamed just now: under its new name next time
            return 0
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == READ_BYTES_MAX:  # no line of ours is so long
            whole = len(data)
        records = [record for line in data[:whole].splitlines() if (record := self._record(line)) is not None]
        if records:
            producer = f"own-log:{name}:{self._clock.now()}"
            self._bus.append(TOPIC_LOGS, 0, encode_logs(records), len(records), producer=producer, sequence=begin)
        if whole:
            self._read.pop(name, None)
            self._read[name] = begin + whole
        return len(records)

    def _record(self, line: bytes) -> LogRecord | None:
        try:
            given = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # the half of a line that a full disk has left
        if not isinstance(given, dict):
            return None
        org, environment, instance = self._origin
        time_ns = _time_ns(given.pop("time", None), self._clock.now)
        severity = _SEVERITIES.get(str(given.pop("level", "")), 0)
        return LogRecord(
            org,
            environment,
            "foregate",
            time_ns,
            severity,
            _text(given.pop("event", "")),
            trace_id=_text(given.pop("trace_id", "")),
            request_id=_text(given.pop("request_id", "")),
            instance=instance,
            source="gateway",
            attributes={str(name)[:128]: _text(value) for name, value in list(given.items())[:_ATTRIBUTES_MAX]},
        )

    def close(self) -> None:
        self.step()
        self._bus.close()


def _time_ns(text: Any, now: Callable[[], float]) -> int:
    try:
        return int(msgspec.convert(text, type=datetime).timestamp() * 1e9)
    except (msgspec.ValidationError, OverflowError):
        return int(now() * 1e9)


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else msgspec.json.encode(value).decode())[:_TEXT_CHARS_MAX]
