"""HAR 1.2: what a browser or a proxy recorded. One JSON document, so it is read whole."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from foregate.telemetry.formats.logs.entry import Entry, Unreadable, status_of
from foregate.telemetry.formats.logs.times import of_iso
from foregate.wire.event import UNMEASURED_MS


def entries(document: bytes) -> Iterator[Entry | Unreadable]:
    """Each entry, or why it is none. Raises Unreadable when the document is no HAR file."""
    try:
        found = msgspec.json.decode(document)["log"]["entries"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(f"not a HAR file: {error}") from None
    if not isinstance(found, list):
        raise Unreadable("not a HAR file: log.entries is no list")
    for each in found:
        try:
            yield _entry(each)
        except Unreadable as error:
            yield error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            yield Unreadable(f"not an entry: {error!r}")


def _entry(given: Mapping[str, Any]) -> Entry:
    request, response = given["request"], given["response"]
    url = urlsplit(request["url"])
    took_ms = float(given.get("time", UNMEASURED_MS))
    return Entry(
        of_iso(given["startedDateTime"]) + max(0.0, took_ms) / 1000.0,
        str(request["method"]).upper(),
        url.path or "/",
        status_of(int(response["status"])),
        took_ms if took_ms >= 0.0 else UNMEASURED_MS,
        max(0.0, float(given.get("timings", {}).get("wait", 0.0))),
        max(0, int(request.get("bodySize", 0))),
        max(0, int(response.get("bodySize", 0)), int(response.get("content", {}).get("size", 0))),
        host=url.netloc,
        protocol=str(request.get("httpVersion", "")).lower(),
        target=str(given.get("serverIPAddress", "")),
    )
