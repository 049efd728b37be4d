"""The points of a metric as series: one value per step for each of who sent them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from foregate.control.api.shapes import Out
from foregate.wire.point import PointKind

SERIES_MAX = 100  # the largest by their points; the rest is left out
Row = Mapping[str, Any]


class MetricOut(Out):
    """`points`: how many were looked at."""

    name: str
    kind: PointKind
    unit: str
    points: int


class MetricSeriesOut(Out):
    """`values[i]` is of the step that begins at `starts_s[i]`: of a gauge the last value; of a sum that only rises how
    much it rose per second (a counter that begins anew counts from 0); of another sum its last value, of deltas their
    sum; of a histogram or summary the mean of the values in it."""

    service: str
    environment: str
    instance: str
    attributes: dict[str, str]
    starts_s: list[float]
    values: list[float]


def metrics_of(rows: Iterable[Row]) -> list[MetricOut]:
    """What metrics these points are of, by name."""
    counted: dict[tuple[str, PointKind, str], int] = {}
    for row in rows:
        key = row["name"], row["kind"], row["unit"]
        counted[key] = counted.get(key, 0) + 1
    return [MetricOut(name=key[0], kind=key[1], unit=key[2], points=counted[key]) for key in sorted(counted)]


def series_of(rows: Iterable[Row], step_s: int) -> list[MetricSeriesOut]:
    """Points of one metric, newest first."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        attributes = tuple(sorted((row["attributes"] or {}).items()))
        found.setdefault((row["service"], row["environment"], row["instance"], attributes), []).append(row)
    largest = sorted(found, key=lambda key: (-len(found[key]), key))[:SERIES_MAX]
    return [_series(key, found[key][::-1], step_s) for key in sorted(largest)]


def _series(key: tuple[Any, ...], points: Sequence[Row], step_s: int) -> MetricSeriesOut:
    """`points` oldest first."""
    by_step: dict[float, list[Row]] = {}
    for point in points:
        by_step.setdefault(point["time_s"] // step_s * step_s, []).append(point)
    values: dict[float, float] = {}
    before: Row | None = None
    for start_s, within in by_step.items():
        value = _value(within, before)
        if value is not None:
            values[start_s] = value
        before = within[-1]
    return MetricSeriesOut(
        service=key[0],
        environment=key[1],
        instance=key[2],
        attributes=dict(key[3]),
        starts_s=list(values),
        values=list(values.values()),
    )


def _value(within: Sequence[Row], before: Row | None) -> float | None:
    """One step's. `before`: the last point of the step before; None at the beginning."""
    last = within[-1]
    if last["kind"] in ("histogram", "summary"):
        return _mean(within, before)
    if last["delta"]:
        return float(sum(point["value"] for point in within))
    if last["kind"] == "sum" and last["monotonic"]:
        return _rate([before, *within] if before else within)
    return float(last["value"])


def _rate(points: Sequence[Row]) -> float | None:
    seconds = points[-1]["time_s"] - points[0]["time_s"]
    if seconds <= 0:
        return None
    risen = sum(_rise(older["value"], newer["value"]) for older, newer in pairwise(points))
    return float(risen / seconds)


def _rise(older: float, newer: float) -> float:
    return newer - older if newer >= older else newer


def _mean(within: Sequence[Row], before: Row | None) -> float | None:
    if within[-1]["delta"]:
        count, total = sum(point["count"] for point in within), sum(point["value"] for point in within)
    else:
        first = before or {"count": 0, "value": 0.0}
        count, total = within[-1]["count"] - first["count"], within[-1]["value"] - first["value"]
        if count < 0:  # it has begun anew
            count, total = within[-1]["count"], within[-1]["value"]
    return total / count if count else None
