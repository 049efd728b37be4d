"""From rows to an answer."""

import math
from collections.abc import Sequence
from typing import Any

from foregate.wire.ask import Answer, Ask, Measure, Series

Row = Sequence[Any]
_REAL = frozenset({"rps", "error_rate", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"})


def answer_of(ask: Ask, whole: Sequence[Row], steps: Sequence[Row], *, read: int, until_s: float) -> Answer:
    """`whole` and `steps`: the rows of `whole_query` and `steps_query`. `read`: events that were looked at."""
    width = len(ask.group_by)
    found: dict[tuple[str, ...], dict[float, Row]] = {}
    for row in steps:
        found.setdefault(tuple(row[:width]), {})[float(row[width])] = row[width + 1 :]
    starts_s = step_starts(ask)
    series = [
        Series(
            tuple(row[:width]),
            _values(ask, row[width:], ask.until_s - ask.from_s),
            starts_s,
            _columns(ask, starts_s, found.get(tuple(row[:width]), {})),
        )
        for row in whole
    ]
    groups = int(whole[0][-1]) if whole else 0
    return Answer(tuple(series), from_windows=False, left_out=groups - len(series), until_s=until_s, read=read)


def step_starts(ask: Ask) -> tuple[float, ...]:
    """The beginnings of the steps that hold the range, on the grid of the epoch."""
    if not ask.step_s or ask.until_s <= ask.from_s:
        return ()
    first, last = math.floor(ask.from_s / ask.step_s), math.ceil(ask.until_s / ask.step_s)
    return tuple(float(step * ask.step_s) for step in range(first, last))


def _columns(ask: Ask, starts_s: Sequence[float], rows: dict[float, Row]) -> tuple[tuple[float | None, ...], ...]:
    if not starts_s:
        return ()
    nothing = (None,) * len(ask.measures)
    table = [
        _values(ask, rows[start_s], _seconds(ask, start_s)) if start_s in rows else nothing for start_s in starts_s
    ]
    return tuple(zip(*table, strict=True))


def _seconds(ask: Ask, start_s: float) -> float:
    """How much of the step the range covers."""
    return min(ask.until_s, start_s + ask.step_s) - max(ask.from_s, start_s)


def _values(ask: Ask, row: Row, seconds: float) -> tuple[float | None, ...]:
    return tuple(_value(measure, value, seconds) for measure, value in zip(ask.measures, row, strict=False))


def _value(measure: Measure, value: Any, seconds: float) -> float | None:
    if value is None:
        return None
    if measure == "rps":
        return float(value) / seconds
    return float(value) if measure in _REAL or measure == "upstream_mean_ms" else int(value)
