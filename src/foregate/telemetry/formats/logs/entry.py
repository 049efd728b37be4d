"""What a line of an access log says."""

from typing import NamedTuple, Protocol

from foregate.wire.event import UNMEASURED_MS


class Unreadable(ValueError):
    """The line is not of the format; the sentence says what is wrong with it."""


class Entry(NamedTuple):
    """A finished request. `time_s` (Unix seconds): of its end; durations are milliseconds, -1 where none was measured.

    `service`, `route`: where the log names them; else they come from whoever imports it, and from the path.
    """

    time_s: float
    method: str
    path: str
    status: int
    latency_ms: float = UNMEASURED_MS
    upstream_ms: float = 0.0
    request_bytes: int = 0
    response_bytes: int = 0
    client: str = ""
    host: str = ""
    protocol: str = ""
    service: str = ""
    route: str = ""
    key_id: str = ""
    request_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    target: str = ""
    error: str = ""
    cache: str = ""


class LineFormat(Protocol):
    """One kind of log. A format may learn from headings, so each file gets its own."""

    def read(self, line: str) -> Entry | None:
        """Raises Unreadable."""
        ...


def path_of(target: str) -> str:
    """A request target without its query and, in absolute form, without scheme and host."""
    path = target.partition("?")[0].partition("#")[0]
    if path[:1] != "/" and "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path if path[:1] == "/" else "/" + path


def status_of(text: str | int) -> int:
    """Three digits; 0 and "-" (no answer was sent) are 499, as nginx calls it. Raises Unreadable."""
    try:
        status = int(text) if text not in ("-", "") else 0
    except ValueError:
        raise Unreadable(f"the status is {text!r}") from None
    if status == 0:
        return 499
    if not 100 <= status <= 999:
        raise Unreadable(f"the status is {status}")
    return status


def number_of(text: str, what: str) -> int:
    """A count of bytes; "-" is none. Raises Unreadable."""
    if text in ("-", ""):
        return 0
    try:
        number = int(text)
    except ValueError:
        raise Unreadable(f"{what} is {text!r}") from None
    if number < 0:
        raise Unreadable(f"{what} is negative: {number}")
    return number


def seconds_of(text: str, what: str) -> float:
    """Seconds as milliseconds; of several (nginx: "0.001, 0.002 : 0.1") the sum. "-" is none. Raises Unreadable."""
    total = 0.0
    measured = False
    for part in text.replace(":", ",").split(","):
        word = part.strip()
        if word in ("-", ""):
            continue
        try:
            total += float(word)
        except ValueError:
            raise Unreadable(f"{what} is {text!r}") from None
        measured = True
    if not total >= 0.0:
        raise Unreadable(f"{what} is {text!r}")
    return total * 1000.0 if measured else UNMEASURED_MS
