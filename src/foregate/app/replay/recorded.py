"""Requests as they were recorded: on the bus by the gateway itself, or in a HAR file by a browser or a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from foregate.http1.headers import HeaderList
from foregate.kernel.errors import ERRORS
from foregate.ports.bus import Bus
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import EVENT_PATH_BYTES_MAX, RequestEvent, decode_events

BATCHES_AT_ONCE = 64
HAR_BYTES_MAX = 256 * 1024 * 1024


class BadRecording(Exception):
    """The file is no recording; the sentence says where and why."""


class Recorded(NamedTuple):
    """`time_s`: Unix seconds at which it began; `took_s` until its end. `refused`: the code of ours it ended with, ""
    when it was sent on. `headers`: None where they were not recorded. `cut`: the path is not whole."""

    time_s: float
    took_s: float
    method: str
    host: str
    path: str
    query: str
    headers: HeaderList | None
    client: str
    key_id: str
    body_bytes: int
    status: int
    refused: str
    route: str
    service: str
    id: str
    cut: bool = False


def from_bus(bus: Bus, since_s: float, requests_max: int) -> list[Recorded]:
    """The youngest `requests_max` that began at `since_s` (Unix seconds) or later, in their order."""
    found: list[Recorded] = []
    for partition in range(bus.partitions):
        found += _partition(bus, partition, since_s, requests_max)
    found.sort(key=lambda each: each.time_s)
    return found[-requests_max:]


def _partition(bus: Bus, partition: int, since_s: float, requests_max: int) -> list[Recorded]:
    found: list[Recorded] = []
    after = -1
    while batches := bus.read(TOPIC_EVENTS, partition, after, BATCHES_AT_ONCE):
        after = batches[-1].offset
        for batch in batches:
            try:
                events = decode_events(batch.payload)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # the analyzer counts those
            found += [_of(event) for event in events if event.time_s >= since_s and event.path]
        del found[: max(0, len(found) - requests_max)]
    return found


def _of(event: RequestEvent) -> Recorded:
    fault = ERRORS[event.error].fault if event.error in ERRORS else "ours"
    sent_on = not event.error or fault == "upstream" or event.attempts > 0
    took_s = max(0.0, event.latency_ms) / 1000.0
    return Recorded(
        event.time_s - took_s,
        took_s,
        event.method,
        event.host,
        event.path,
        "",
        None,
        event.client,
        event.key_id,
        event.request_bytes,
        event.status,
        "" if sent_on else event.error,
        event.route,
        event.service,
        event.request_id,
        len(event.path) >= EVENT_PATH_BYTES_MAX,
    )


def from_har(file: Path) -> list[Recorded]:
    """The entries of a HAR file (version 1.2), in their order. Raises BadRecording, OSError."""
    if file.stat().st_size > HAR_BYTES_MAX:
        raise BadRecording(f"{file} is larger than {HAR_BYTES_MAX >> 20} MB: replay a part of it")
    try:
        entries = msgspec.json.decode(file.read_bytes())["log"]["entries"]
        found = list(_entries(entries))
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise BadRecording(f"{file} is no HAR file: {error!r}") from error
    found.sort(key=lambda each: each.time_s)
    return found


def _entries(entries: list[Any]) -> Iterator[Recorded]:
    for index, entry in enumerate(entries):
        try:
            yield _entry(entry, index)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadRecording(f"log.entries[{index}] of the HAR file is not readable: {error!r}") from error


def _entry(entry: Any, index: int) -> Recorded:
    request = entry["request"]
    method = request["method"]
    if not isinstance(method, str):
        raise TypeError(f"the method is {method!r}")
    url = urlsplit(_as_sent(request["url"]))
    headers = [
        (field["name"].lower().encode("latin-1"), field["value"].encode("latin-1"))
        for field in request["headers"]
        if not field["name"].startswith(":")
    ]
    return Recorded(
        datetime.fromisoformat(entry["startedDateTime"]).timestamp(),
        max(0.0, float(entry.get("time", 0.0))) / 1000.0,
        method,
        url.netloc,
        url.path or "/",
        url.query,
        headers,
        "",
        "",
        max(0, int(request.get("bodySize", 0))),
        int(entry["response"]["status"]),
        "",
        "",
        "",
        f"entry {index}",
    )


def _as_sent(url: str) -> str:
    """Some tools write addresses as people read them: what is not ASCII goes percent-encoded over the wire."""
    return "".join(each if each.isascii() else quote(each) for each in url)
