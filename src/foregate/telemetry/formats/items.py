"""Request events as people write them: objects with names. Item → `RequestEvent`.

Two ways lead to an `Item`, and to the same one. The quick: a whole list is decoded by its types (`Shape`), which takes
names that are known beforehand and values that need no correction. The thorough, for each object by itself (`cleaned`):
takes every name of `NAMES`, converts numbers that are written as text, cuts what is too long.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.parsed import Parsed, Sender
from foregate.wire.event import (
    EVENT_PATH_BYTES_MAX,
    UNMEASURED_MS,
    AiUsage,
    BreakerOutcome,
    CacheOutcome,
    LimitOutcome,
    Protocol,
    RequestEvent,
)

UNKNOWN_ROUTE: Final = "unknown"  # of a request that names neither route nor path
TIME_S_MIN: Final = 946_684_800.0  # the year 2000: an earlier time is no time
DURATION_MS_MAX: Final = 86_400_000.0
BYTES_MAX: Final = 1 << 53
TEXT_CHARS_MAX: Final = 128
LONG_CHARS_MAX: Final = 256
_TIMED_OUT = frozenset({"", "timeout", "timedout", "timed_out", "deadline_exceeded", "gateway_timeout"})
_HEX: Final = "0123456789abcdef"

Text = Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]
Long = Annotated[str, Meta(max_length=LONG_CHARS_MAX)]
Milliseconds = Annotated[float, Meta(ge=0, le=DURATION_MS_MAX)]
Bytes = Annotated[int, Meta(ge=0, le=BYTES_MAX)]


class Ai(msgspec.Struct, gc=False):
    """`wire.event.AiUsage` by names."""

    operation: Text = "chat"
    provider: Text = ""
    model: Text = ""
    answered_by: Text = ""
    input_tokens: Bytes = 0
    output_tokens: Bytes = 0
    cached_tokens: Bytes = 0
    cost: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    estimated: bool = False
    first_token_ms: Annotated[float, Meta(ge=-1, le=DURATION_MS_MAX)] = -1.0
    inter_token_ms: Annotated[float, Meta(ge=-1, le=DURATION_MS_MAX)] = -1.0
    streamed: bool = False
    finish_reason: Text = ""
    attempts: Long = ""

    def usage(self) -> AiUsage:
        return AiUsage(*(getattr(self, name) for name in self.__struct_fields__))


class Item(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A request as it may be written without any correction."""

    service: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX)]
    status: Annotated[int, Meta(ge=100, le=599)]
    latency_ms: Milliseconds
    time: float | datetime | None = None
    route: Long = ""
    path: str = ""
    method: Annotated[str, Meta(max_length=32)] = ""
    upstream_ms: Milliseconds = 0.0
    first_byte_ms: Milliseconds = 0.0
    request_bytes: Bytes = 0
    response_bytes: Bytes = 0
    key_id: Text = ""
    environment: Text = ""
    request_id: Text = ""
    trace_id: Text = ""
    span_id: Text = ""
    parent_span_id: Text = ""
    error: Text = ""
    attempts: Annotated[int, Meta(ge=0, le=1_000)] = 1
    inflight: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    target: Long = ""
    client: Text = ""
    host: Long = ""
    region: Text = ""
    cloud: Text = ""
    instance: Text = ""
    limit: LimitOutcome = "none"
    breaker: BreakerOutcome = "none"
    cache: CacheOutcome = "none"
    protocol: Protocol = "http/1.1"
    ai: Ai | None = None
    waited_ms: Milliseconds = UNMEASURED_MS


class Unreadable(Exception):
    """Why an item cannot be taken: a sentence for its sender."""


def events_of(items: Iterable[Item], first: int, sender: Sender, options: Options, into: Parsed) -> None:
    """Appends one event per item, or rejects it; `first` is the index of the first one."""
    latest_s = sender.received_s + options.ahead_s_max
    org, environment, region, cloud, source = sender.org, sender.environment, sender.region, sender.cloud, sender.source
    routes_of, append = options.routes.of, into.events.append
    for index, item in enumerate(items, first):
        time_s: Any = item.time
        if time_s.__class__ is not float or not TIME_S_MIN <= time_s <= latest_s:
            try:
                time_s = sender.received_s if time_s is None else unix_s(time_s, latest_s)
            except Unreadable as why:
                into.reject("events", index, str(why))
                continue
        service, path, error = item.service, item.path, item.error
        if path and ("?" in path or path[0] != "/"):
            path = plain_path(path)
        if error or item.status == 504:
            error = timed_out(error)
        if item.route:
            route = routes_of(org, service).given(item.route)
        else:
            route = routes_of(org, service).of_path(path) if path else UNKNOWN_ROUTE
        append(
            RequestEvent(
                time_s,
                org,
                service,
                route,
                item.method.upper(),
                item.status,
                item.latency_ms,
                item.upstream_ms,
                item.request_bytes,
                item.response_bytes,
                item.key_id,
                item.environment or environment,
                item.request_id,
                hex_id(item.trace_id, 32) if item.trace_id else "",
                hex_id(item.span_id, 16) if item.span_id else "",
                item.attempts,
                item.limit,
                item.breaker,
                item.cache,
                error,
                item.target,
                item.inflight,
                item.first_byte_ms,
                "",
                item.client,
                path[:EVENT_PATH_BYTES_MAX],
                item.protocol,
                item.ai.usage() if item.ai else None,
                item.host,
                hex_id(item.parent_span_id, 16) if item.parent_span_id else "",
                item.region or region,
                item.cloud or cloud,
                item.instance,
                source,
                item.waited_ms,
            )
        )


def plain_path(target: str) -> str:
    """The path of a path with query, or of an absolute URL."""
    path = target.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path


def timed_out(error: str) -> str:
    """One name for what has many: a time limit that has passed. "" (with status 504) is one, too."""
    words = error.lower().replace(" ", "_").replace("-", "_")
    if words in _TIMED_OUT or words.endswith(("timeoutexception", "timeouterror")):
        return "upstream_timeout"
    return error


def hex_id(text: str, digits: int) -> str:
    """A trace or span id in its one form; "" for what is none, a zero id included (W3C Trace Context section 3.2.2)."""
    if len(text) == digits and not text.strip(_HEX):
        return text if text.strip("0") else ""
    text = text.replace("-", "").lower()  # as a UUID
    return text if len(text) == digits and not text.strip(_HEX) and text.strip("0") else ""


def id_of(said: bytes | str, digits: int) -> str:
    """`hex_id` of an id as bytes or as text."""
    if isinstance(said, bytes):
        return said.hex() if 2 * len(said) == digits and any(said) else ""
    return hex_id(said, digits) if said else ""


def unix_s(value: Any, latest_s: float) -> float:
    """Unix seconds of a date, or of a number in seconds, milli-, micro- or nanoseconds, as its size says."""
    if isinstance(value, datetime):
        time_s = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    else:
        time_s = float(value)
        for above, factor in ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3)):
            if time_s >= above:
                time_s /= factor
                break
    if not time_s >= TIME_S_MIN:
        raise Unreadable("The time lies before the year 2000, or is none.")
    if not time_s <= latest_s:
        raise Unreadable("The time lies in the future: the sender's clock is wrong.")
    return time_s
