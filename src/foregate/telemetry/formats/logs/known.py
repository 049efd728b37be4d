"""The formats by name, and which of them a file is of."""

from collections.abc import Callable, Mapping, Sequence

from foregate.telemetry.formats.logs.cloudfront import CloudFront
from foregate.telemetry.formats.logs.combined import Combined
from foregate.telemetry.formats.logs.entry import LineFormat, Unreadable
from foregate.telemetry.formats.logs.envoy import Envoy
from foregate.telemetry.formats.logs.json_lines import JsonLines
from foregate.telemetry.formats.logs.kong import Kong

FORMATS: Mapping[str, Callable[[], LineFormat]] = {
    "combined": Combined,
    "envoy": Envoy,
    "kong": Kong,
    "cloudfront": CloudFront,
    "json": JsonLines,
}


def find(name: str) -> LineFormat:
    """A new one. Raises ValueError."""
    make = FORMATS.get(name)
    if make is None:
        raise ValueError(f"there is no format {name}: known are {', '.join(FORMATS)} and har")
    return make()


def guess(lines: Sequence[str]) -> str | None:
    """The format that reads most of the first lines, the first above of equals; None when none reads any."""
    best, best_read = None, 0
    for name, make in FORMATS.items():
        read = _read(make(), lines)
        if read > best_read:
            best, best_read = name, read
    return best


def _read(format_: LineFormat, lines: Sequence[str]) -> int:
    count = 0
    for line in lines:
        try:
            count += format_.read(line) is not None
        except Unreadable:
            continue
    return count
