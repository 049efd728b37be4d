"""Identifiers: request ids, W3C trace context, and the ids of stored things.

None of these are secrets; those are made in `foregate.kernel.secrets`.
"""

import random
import re
import secrets
from collections.abc import Callable, Iterator
from itertools import chain

# Seeded by the operating system once per process; a forked child must make its own (we spawn, never fork).
_random = random.Random(secrets.randbits(256))  # noqa: S311 - identifiers need speed and spread, not secrecy
_getrandbits = _random.getrandbits

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16
_DRAWN_AT_ONCE = 32  # requests
_NEVER_ZERO = 1 << 64 | 1  # a bit of the trace id, which stands before the span id, and one of the span id


def new_request_id() -> str:
    """32 hex digits of chance."""
    return f"{_getrandbits(128):032x}"


def new_span_id() -> str:
    """16 hex digits, never all zero (W3C forbids that)."""
    return f"{_getrandbits(64) | 1:016x}"


def new_trace_id() -> str:
    """32 hex digits, never all zero (W3C forbids that)."""
    return f"{_getrandbits(128) | 1:032x}"


def _digits() -> Iterator[str]:
    """What many requests need, drawn at once: 80 hex digits each."""
    never_zero = sum(_NEVER_ZERO << 320 * each for each in range(_DRAWN_AT_ONCE))
    while True:
        yield (_getrandbits(320 * _DRAWN_AT_ONCE) | never_zero).to_bytes(40 * _DRAWN_AT_ONCE).hex()


_split = re.compile(r"(.{32})(.{32})(.{16})").findall

new_request_ids: Callable[[], tuple[str, str, str]] = chain.from_iterable(map(_split, _digits())).__next__
"""A request id, a trace id and a span id (never all zero), for the request path; for one thread of a process."""


def new_id(prefix: str) -> str:
    """An id for a stored thing, e.g. `alr_3f9c…`: the prefix says what it names."""
    return f"{prefix}_{_getrandbits(80):020x}"


def valid_request_id(value: bytes) -> bool:
    """Whether a caller's X-Request-ID is safe to log and echo (1 to 128 plain characters)."""
    return _REQUEST_ID.fullmatch(value) is not None


def parse_traceparent(value: bytes) -> tuple[str, str, str] | None:
    """`(trace_id, parent_span_id, flags)` of a W3C traceparent header, or None where it must be ignored.

    Source: https://www.w3.org/TR/trace-context/#traceparent-header
    """
    match = _TRACEPARENT.fullmatch(value)
    if match is None:
        return None
    version, trace_id, span_id, flags = match.groups()
    if version == b"ff" or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    if version == b"00" and len(value) != 55:
        return None
    return trace_id.decode(), span_id.decode(), flags.decode()
