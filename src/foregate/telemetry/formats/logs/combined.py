"""The combined log format of Apache and nginx, and what people usually append to it.

`%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"`: also without the last two (common), with the virtual host in
front (vhost_combined), and with a duration at the end: nginx's `$request_time` and `$upstream_response_time` (seconds,
with a point), Apache's `%D` (microseconds, without), or named (`rt=0.123 urt="0.120"`).
"""

import re

from foregate.telemetry.formats.logs.entry import (
    Entry,
    Unreadable,
    number_of,
    path_of,
    seconds_of,
    status_of,
)
from foregate.telemetry.formats.logs.times import of_common
from foregate.wire.event import UNMEASURED_MS

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    r"(?:(?P<vhost>\S+) )?(?P<client>\S+) \S+ (?P<user>.{1,256}?) \[(?P<time>[^\]]{1,40})\] "
    + _QUOTED.replace("(", "(?P<request>", 1)
    + r" (?P<status>\d{3}|-) (?P<bytes>\d+|-)(?P<rest>.*)"
)
_EXTRAS = re.compile(rf"^(?: {_QUOTED} {_QUOTED})?(.*)$")
_NAMED = re.compile(r'(?:^|\s)(rt|request_time|urt|upstream_response_time)="?([0-9., :-]+)"?')
_BARE = re.compile(r"[0-9][0-9.]{0,31}|-")


class Combined:
    """Common, combined, vhost_combined, and either with durations."""

    def read(self, line: str) -> Entry | None:
        found = _LINE.fullmatch(line)
        if found is None:
            raise Unreadable("not like the common or combined log format")
        method, path, protocol = _request(found["request"])
        latency_ms, upstream_ms = _durations(found["rest"])
        return Entry(
            of_common(found["time"]),
            method,
            path,
            status_of(found["status"]),
            latency_ms,
            upstream_ms,
            response_bytes=number_of(found["bytes"], "the size"),
            client=found["client"],
            host=(found["vhost"] or "").rpartition(":")[0] or found["vhost"] or "",
            protocol=protocol,
        )


def _request(text: str) -> tuple[str, str, str]:
    """`GET /a?b HTTP/1.1`. What was no request (TLS bytes, an empty line) still came and was answered."""
    words = text.split(" ")
    if len(words) == 3 and words[0].isupper():
        return words[0], path_of(words[1]), words[2].lower()
    if len(words) == 2 and words[0].isupper():  # HTTP/0.9
        return words[0], path_of(words[1]), ""
    return "", "/", ""


def _durations(rest: str) -> tuple[float, float]:
    """Latency and upstream time in ms, from what follows the size."""
    if not rest or (rest.endswith('"') and "=" not in rest):
        return UNMEASURED_MS, 0.0
    extras = _EXTRAS.match(rest)
    tail = extras[3] if extras is not None else rest
    named = {name: seconds_of(value, name) for name, value in _NAMED.findall(tail)}
    if named:
        latency_ms = named.get("rt", named.get("request_time", UNMEASURED_MS))
        return latency_ms, max(0.0, named.get("urt", named.get("upstream_response_time", 0.0)))
    words = tail.split()
    if not words or _BARE.fullmatch(words[0]) is None or words[0] == "-":
        return UNMEASURED_MS, 0.0
    if "." not in words[0]:  # Apache's %D
        return int(words[0]) / 1000.0, 0.0
    upstream = words[1] if len(words) > 1 and _BARE.fullmatch(words[1]) is not None else "-"
    return seconds_of(words[0], "the duration"), max(0.0, seconds_of(upstream, "the upstream time"))
