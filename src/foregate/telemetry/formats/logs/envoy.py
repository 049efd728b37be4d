"""Envoy's default access log format.

`[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% …
%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%"
"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"`; Istio's has more in between and at its
end. Times in the log are of the beginning.
"""

import re

from foregate.telemetry.formats.logs.entry import Entry, Unreadable, number_of, path_of, status_of
from foregate.telemetry.formats.logs.times import of_iso
from foregate.wire.event import UNMEASURED_MS

_LINE = re.compile(  # counts have a bound: without one, a line of digits is tried from each of them to its end
    r'\[(?P<time>[^\]]{1,40})\] "(?P<method>\S+) (?P<path>\S+) (?P<protocol>[^"]*)" (?P<status>\d{1,20}|-) '
    r"(?P<flags>\S+) (?P<more>.*?)(?P<received>\d{1,20}) (?P<sent>\d{1,20}) "
    r'(?P<duration>\d{1,20}|-) (?P<upstream>\d{1,20}|-) "(?P<forwarded>[^"]*)" '
    r'"(?P<agent>(?:[^"\\]|\\.)*)" "(?P<request_id>[^"]*)" "(?P<authority>[^"]*)" "(?P<target>[^"]*)"(?P<rest>.*)'
)
# Response flags that say whose fault it was, in our words.
_ERRORS = {
    "UT": "upstream_timeout",
    "UF": "upstream_refused",
    "UC": "upstream_closed",
    "UR": "upstream_closed",
    "UH": "no_healthy_target",
    "UO": "circuit_open",
    "RL": "rate_limited",
    "DC": "client_closed",
    "NR": "route_not_found",
}


class Envoy:
    """Envoy and Istio, as text. Their JSON logs are read as JSON."""

    def read(self, line: str) -> Entry | None:
        found = _LINE.fullmatch(line)
        if found is None:
            raise Unreadable("not like Envoy's default access log")
        latency_ms = float(found["duration"]) if found["duration"] != "-" else UNMEASURED_MS
        cluster = found["rest"].split()
        return Entry(
            of_iso(found["time"]) + max(0.0, latency_ms) / 1000.0,
            found["method"] if found["method"] != "-" else "",
            path_of(found["path"] if found["path"] != "-" else "/"),
            status_of(found["status"]),
            latency_ms,
            float(found["upstream"]) if found["upstream"] != "-" else 0.0,
            number_of(found["received"], "bytes received"),
            number_of(found["sent"], "bytes sent"),
            found["forwarded"].partition(",")[0].strip("- "),
            _given(found["authority"]),
            found["protocol"].lower(),
            service=_service(cluster[0]) if cluster else "",
            request_id=_given(found["request_id"]),
            target=_given(found["target"]),
            error=next((_ERRORS[flag] for flag in found["flags"].split(",") if flag in _ERRORS), ""),
        )


def _given(text: str) -> str:
    return "" if text == "-" else text


def _service(cluster: str) -> str:
    """Istio: `outbound|9080||reviews.default.svc.cluster.local` is reviews."""
    if cluster.count("|") == 3:
        return cluster.rpartition("|")[2].partition(".")[0]
    return ""
