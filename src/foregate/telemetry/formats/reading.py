"""A body and what it claims to be → what is in it."""

from collections.abc import Callable
from typing import Literal

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.parsed import Parsed, Sender
from foregate.telemetry.formats.telemetry import read_json, read_lines, read_msgpack

Signal = Literal["telemetry", "traces", "metrics", "logs", "remote_write"]
_Reader = Callable[[bytes, Sender, Options], Parsed]

_READERS: dict[Signal, dict[str, _Reader]] = {
    "telemetry": {
        "application/json": read_json,
        "application/x-ndjson": read_lines,
        "application/jsonl": read_lines,
        "application/msgpack": read_msgpack,
        "application/x-msgpack": read_msgpack,
        "application/vnd.msgpack": read_msgpack,
    },
}


def read(signal: Signal, content_type: str, body: bytes, sender: Sender, *, options: Options) -> Parsed:
    """All that `body` (unpacked) holds. Raises ForegateError: unsupported_media_type, body_invalid, body_too_large."""
    readers = _READERS.get(signal, {})
    kind = content_type.partition(";")[0].strip().lower()
    reader = readers.get(kind)
    if reader is None:
        raise ForegateError("unsupported_media_type", f"This address takes {', '.join(readers)}.")
    return reader(body, sender, options)
