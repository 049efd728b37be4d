"""CloudFront's standard logs: tab-separated, the fields named in a heading (W3C extended log format)."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from foregate.telemetry.formats.logs.entry import Entry, Unreadable, number_of, path_of, status_of
from foregate.telemetry.formats.logs.times import of_iso
from foregate.wire.event import UNMEASURED_MS

_HITS = {"Hit": "hit", "RefreshHit": "revalidated", "Miss": "miss", "OriginShieldHit": "hit"}
_DEFAULT = (
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(Host)",
    "cs-uri-stem",
    "sc-status",
)  # what a file without a heading begins with


class CloudFront:
    """Date and time are of the end, in UTC; `time-taken` is seconds."""

    def __init__(self) -> None:
        self._fields: Sequence[str] = _DEFAULT

    def read(self, line: str) -> Entry | None:
        if line.startswith("#"):
            if line.startswith("#Fields:"):
                self._fields = line.partition(":")[2].split()
            return None
        values = line.split("\t")
        if len(values) < 9:
            raise Unreadable("not tab-separated as CloudFront writes it")
        given = dict(zip(self._fields, values, strict=False))
        try:
            time_s = of_iso(f"{given['date']}T{given['time']}Z")
            method, path, status = given["cs-method"], given["cs-uri-stem"], given["sc-status"]
        except KeyError as error:
            raise Unreadable(f"no field {error.args[0]}") from None
        return Entry(
            time_s,
            method,
            path_of(unquote(path)),
            status_of("0" if status == "000" else status),
            _ms(given.get("time-taken", "-")),
            request_bytes=number_of(given.get("cs-bytes", "-"), "cs-bytes"),
            response_bytes=number_of(given.get("sc-bytes", "-"), "sc-bytes"),
            client=given.get("c-ip", ""),
            host=_host(given),
            protocol=given.get("cs-protocol-version", "").lower(),
            request_id=given.get("x-edge-request-id", ""),
            cache=_HITS.get(given.get("x-edge-result-type", ""), ""),
        )


def _host(given: Mapping[str, str]) -> str:
    host = given.get("x-host-header", "-")
    return given.get("cs(Host)", "") if host in ("-", "") else host


def _ms(text: str) -> float:
    if text in ("-", ""):
        return UNMEASURED_MS
    try:
        return float(text) * 1000.0
    except ValueError:
        raise Unreadable(f"time-taken is {text!r}") from None
