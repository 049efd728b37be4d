"""Times as logs write them, as Unix seconds. The second is looked up again and again, so it is remembered."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache

from foregate.telemetry.formats.logs.entry import Unreadable

_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}


@lru_cache(maxsize=1_024)
def of_common(text: str) -> float:
    """`10/Oct/2000:13:55:36 -0700`, as Apache and nginx write it. Raises Unreadable."""
    try:
        day, month, rest = text.split("/", 2)
        year, hour, minute, second = rest[:-5].strip().split(":")
        zone = rest[-5:]
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) * (-1 if zone[0] == "-" else 1)
        at = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset))
        return at.timestamp()
    except (ValueError, KeyError, IndexError, OverflowError):
        raise Unreadable(f"the time is {text!r}, not like 10/Oct/2000:13:55:36 -0700") from None


@lru_cache(maxsize=1_024)
def of_iso(text: str) -> float:
    """RFC 3339, such as 2026-11-21T10:00:00.123Z; without a zone it is UTC. Raises Unreadable."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"the time is {text!r}, not like 2026-11-21T10:00:00Z") from None
    try:
        return (at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)).timestamp()  # noqa: UP017
    except (ValueError, OverflowError):
        raise Unreadable(f"the time is {text!r}, which no clock has") from None


def of_number(value: float) -> float:
    """Unix seconds, milliseconds, microseconds or nanoseconds, told by their size. Raises Unreadable."""
    for unit in (1.0, 1e3, 1e6, 1e9):
        if 0.0 <= value / unit < 1e11:  # year 5138
            return value / unit
    raise Unreadable(f"the time is {value!r}, which no clock has")


def of_any(value: object) -> float:
    """Whichever of the three it looks like. Raises Unreadable."""
    if isinstance(value, bool):
        raise Unreadable(f"the time is {value!r}")
    if isinstance(value, int | float):
        return of_number(float(value))
    text = str(value)
    if text[:1].isdigit() and text.replace(".", "", 1).isdigit():
        return of_number(float(text))
    return of_common(text) if "/" in text else of_iso(text)
