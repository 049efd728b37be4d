"""How people write in an address: `range=24h`, `step=15m`, `filter=service=pay;status>=500`."""

import re
from datetime import datetime

from foregate.kernel.errors import ForegateError
from foregate.wire.ask import Filter, Operator

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9})([smhdw]?)")
_TERM = re.compile(r"\s*(\w{1,64})\s*(!=|\^=|\*=|<=|>=|=|<|>)(.*)", re.DOTALL)
_SIGNS: dict[str, tuple[Operator, Operator | None]] = {  # with one value; with several
    "=": ("eq", "in"),
    "!=": ("ne", "not_in"),
    "^=": ("prefix", None),
    "*=": ("contains", None),
    "<": ("lt", None),
    "<=": ("le", None),
    ">": ("gt", None),
    ">=": ("ge", None),
}
FILTER_CHARS_MAX = 4_000
TIME_S_MAX = 253_402_300_799.0  # the end of the year 9999: what dates can say


def seconds(name: str, text: str) -> int:
    """A duration: `90`, `90s`, `15m`, `24h`, `7d`, `2w`. Raises ForegateError("invalid_parameter")."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ForegateError("invalid_parameter", f"{name}: {text[:50]!r} is no duration such as 90s, 15m, 24h or 7d.")
    return int(found[1]) * _UNITS_S[found[2] or "s"]


def moment(name: str, text: str) -> float:
    """A time: Unix seconds, or as RFC 3339 has it. Raises ForegateError("invalid_parameter")."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ForegateError(
            "invalid_parameter", f"{name}: {text[:50]!r} is no time such as 1700000000 or 2026-11-21T10:00:00Z."
        )
    return at.timestamp()


def time_range(
    now_s: float, range_: str, from_: str | None, until: str | None, longest_s: float
) -> tuple[float, float]:
    """From `from` until `until` (now), or the `range` before `until`. Raises ForegateError("invalid_parameter")."""
    until_s = now_s if until is None else moment("until", until)
    from_s = until_s - seconds("range", range_) if from_ is None else moment("from", from_)
    if not from_s < until_s:
        raise ForegateError("invalid_parameter", "until: the range must end after it begins.")
    if not 0.0 < until_s <= TIME_S_MAX:
        raise ForegateError("invalid_parameter", "until: a time of the years 1970 to 9999.")
    if until_s - from_s > longest_s:
        raise ForegateError("invalid_parameter", f"range: at most {longest_s / 86_400:.0f} days.")
    return max(0.0, from_s), until_s


def words(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def filters(text: str) -> tuple[Filter, ...]:
    """Terms with `;` between them, all of which must hold: `field=value`, `!=`, `^=` (begins with), `*=` (contains),
    `<`, `<=`, `>`, `>=`; several values of `=` and `!=` with `|` between them. Raises ForegateError."""
    if len(text) > FILTER_CHARS_MAX:
        raise ForegateError("invalid_parameter", f"filter: longer than {FILTER_CHARS_MAX} characters.")
    return tuple(_filter(term) for term in text.split(";") if term.strip())


def _filter(term: str) -> Filter:
    found = _TERM.fullmatch(term)
    if found is None:
        raise ForegateError(
            "invalid_parameter",
            f"filter: {term[:80]!r} is not `field=value` (or != ^= *= < <= > >=), with ; between several.",
        )
    one, several = _SIGNS[found[2]]
    values = tuple(value.strip() for value in found[3].split("|")) if several else (found[3].strip(),)
    return Filter(found[1], one if len(values) == 1 or several is None else several, values)
