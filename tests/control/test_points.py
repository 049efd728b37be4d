"""What the points of a metric were over time."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import asdict

from foregate.control.api.points import series_of
from foregate.wire.point import Point


def rows(*points: Point) -> list[Mapping[str, Any]]:
    """As the archive gives them: newest first."""
    return [asdict(point) for point in sorted(points, key=lambda point: -point.time_s)]


def point(time_s: float, value: float, **changes: Any) -> Point:
    return Point("o", "production", "pay", "m", changes.pop("kind", "sum"), time_s, value, **changes)


def test_a_counter_is_its_rate_and_begins_anew_from_zero() -> None:
    points = [point(60.0 * n, value, monotonic=True) for n, value in enumerate((0.0, 60.0, 120.0, 30.0))]
    (series,) = series_of(rows(*points), 60)
    assert dict(zip(series.starts_s, series.values, strict=True)) == {60.0: 1.0, 120.0: 1.0, 180.0: 0.5}


def test_deltas_are_added_up_and_gauges_are_their_last() -> None:
    (deltas,) = series_of(rows(*(point(float(n), 2.0, delta=True, monotonic=True) for n in range(60))), 60)
    assert deltas.values == [120.0]
    (gauge,) = series_of(rows(*(point(float(n), float(n), kind="gauge") for n in range(90))), 60)
    assert gauge.values == [59.0, 89.0]


@pytest.mark.parametrize("delta", [True, False])
def test_of_a_histogram_it_is_the_mean_of_what_was_new(delta: bool) -> None:
    values = [(10, 100.0), (10, 300.0)] if delta else [(10, 100.0), (20, 400.0)]
    points = [
        point(60.0 * n, value, kind="histogram", count=count, delta=delta) for n, (count, value) in enumerate(values)
    ]
    (series,) = series_of(rows(*points), 60)
    assert series.values == [10.0, 30.0]


def test_each_sender_has_a_series_of_its_own() -> None:
    points = [point(0.0, 1.0, kind="gauge", instance=one, attributes={"cpu": one}) for one in ("a", "b")]
    assert [(one.instance, one.attributes) for one in series_of(rows(*points), 60)] == [
        ("a", {"cpu": "a"}), ("b", {"cpu": "b"}),
    ]  # fmt: skip
