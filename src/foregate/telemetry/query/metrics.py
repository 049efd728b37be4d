"""Windows over a range of time, per entity and merged."""

import math
from collections.abc import Iterable

from foregate.kernel.errors import ForegateError
from foregate.ports.series import SeriesReader
from foregate.telemetry.tally import Tally, Window
from foregate.wire.entity import Entity
from foregate.wire.window import SPANS_S, MetricsAnswer, StoredWindow, WindowStats

WINDOWS_MAX = 50_000  # read for one answer


def metrics(
    reader: SeriesReader,
    *,
    span_s: int,
    from_s: float,
    until_s: float,
    service: str | None = None,
    route: str | None = None,
    windows_max: int = WINDOWS_MAX,
) -> MetricsAnswer:
    """Stored windows of `span_s` with from_s ≤ start < until_s (Unix seconds) of the entities that match.

    Raises ForegateError("invalid_parameter") for another span, an empty range, or more than `windows_max` windows.
    """
    _check(span_s, from_s, until_s)
    found = reader.scan(span_s, from_s, until_s, rows_max=windows_max + 1)
    if len(found) > windows_max:
        raise ForegateError(
            "invalid_parameter",
            f"This range holds more than {windows_max} windows of {span_s} s: ask for a shorter one or a longer span.",
        )
    chosen = [window for window in found if _matches(window.entity, service, route)]
    return _answer(chosen, span_s, from_s, until_s)


def _check(span_s: int, from_s: float, until_s: float) -> None:
    if span_s not in SPANS_S:
        spans = ", ".join(str(span) for span in SPANS_S)
        raise ForegateError("invalid_parameter", f"The span must be one of {spans} seconds, not {span_s}.")
    if not (math.isfinite(from_s) and math.isfinite(until_s)):
        raise ForegateError("invalid_parameter", "The range must have finite ends.")
    if from_s >= until_s:
        raise ForegateError("invalid_parameter", "The range must end after it begins.")


def _matches(entity: Entity, service: str | None, route: str | None) -> bool:
    return service in (None, entity.service) and route in (None, entity.route)


def _answer(windows: Iterable[StoredWindow], span_s: int, from_s: float, until_s: float) -> MetricsAnswer:
    series: dict[Entity, list[WindowStats]] = {}
    by_start: dict[int, Window] = {}
    first_s = math.ceil(from_s / span_s) * span_s
    end_s = min(until_s, math.ceil(until_s / span_s) * span_s)
    everything = Window(first_s, max(1, math.ceil(end_s - first_s)))
    for stored in windows:
        series.setdefault(stored.entity, []).append(stored.stats)
        start_s = int(stored.stats.start_s)
        tally = Tally.of(stored)
        by_start.setdefault(start_s, Window(start_s, span_s)).merge(tally)
        everything.merge(tally)
    total = [by_start[start_s].stats() for start_s in sorted(by_start)]
    return MetricsAnswer(series, total, everything.stats())
