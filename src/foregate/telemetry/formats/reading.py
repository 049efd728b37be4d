"""A body and what it claims to be → what is in it."""

import importlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.parsed import Parsed, Sender

Signal = Literal["telemetry", "traces", "metrics", "logs", "remote_write"]
_Reader = Callable[[bytes, Sender, Options], Parsed]

# Content type → module and function. Modules are imported when they are needed: protobuf is not small.
_LINES: Final = ("telemetry", "read_lines")
_MSGPACK: Final = ("telemetry", "read_msgpack")
_READERS: Final[Mapping[Signal, Mapping[str, tuple[str, str]]]] = {
    "telemetry": {
        "application/json": ("telemetry", "read_json"),
        "application/x-ndjson": _LINES,
        "application/jsonl": _LINES,
        "application/msgpack": _MSGPACK,
        "application/x-msgpack": _MSGPACK,
        "application/vnd.msgpack": _MSGPACK,
    },
    "traces": {
        "application/x-protobuf": ("otlp.protobuf", "read_traces"),
        "application/json": ("otlp.document", "read_traces"),
    },
    "metrics": {
        "application/x-protobuf": ("otlp.protobuf", "read_metrics"),
        "application/json": ("otlp.document", "read_metrics"),
    },
    "logs": {
        "application/x-protobuf": ("otlp.protobuf", "read_logs"),
        "application/json": ("otlp.document", "read_logs"),
    },
    "remote_write": {"application/x-protobuf": ("remote_write", "read_samples")},
}
_PROTO_1 = "prometheus.writerequest"  # of `proto=`, in which Prometheus says which of its messages it sends


def read(signal: Signal, content_type: str, body: bytes, sender: Sender, *, options: Options) -> Parsed:
    """All that `body` (unpacked) holds. Raises ForegateError: unsupported_media_type, body_invalid, body_too_large.

    gRPC's messages have the content type application/x-protobuf here.
    """
    kind, _, parameters = content_type.lower().partition(";")
    readers = _READERS[signal]
    found = readers.get(kind.strip())
    message = parameters.partition("proto=")[2].partition(";")[0].strip(' "')
    if found is None or (signal == "remote_write" and message not in ("", _PROTO_1)):
        known = ", ".join(readers) + (" with prometheus.WriteRequest" if signal == "remote_write" else "")
        raise ForegateError("unsupported_media_type", f"This address takes {known}.")
    return _reader(*found)(body, sender, options)


@lru_cache(maxsize=16)  # as many as there are
def _reader(module: str, function: str) -> _Reader:
    found: _Reader = getattr(importlib.import_module(f"foregate.telemetry.formats.{module}"), function)
    return found
