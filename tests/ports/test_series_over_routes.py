"""The series store asked about many routes at once: sums, totals, and what is not rolled up."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from tests.ports.conftest import SeriesAdapter
from tests.ports.test_series import ASK, PAY, summed, window

from foregate.app.stores import SeriesStore
from foregate.kernel.errors import ForegateError
from foregate.wire.entity import Entity
from foregate.wire.window import StoredWindow, WindowStats

OTHER = Entity("other", "payments", "/pay", "staging")
DAY_S = 86_400


def roll_up_all(series: SeriesStore, quarters: int) -> None:
    """Everything that is stale, and the totals of so many quarters of hours."""
    while series.roll_up(summed, 1_000):
        pass
    for _ in range(quarters):
        series.roll_up(summed, 1_000)


def filled(series_adapter: SeriesAdapter, quarters: int, entities: Sequence[Entity] = (PAY, ASK, OTHER)) -> SeriesStore:
    """Quarter n of each entity has n + 1 requests; all are rolled up, and all but the last totalled."""
    series = series_adapter.open_series()
    series.append([window(entity, 900.0 * n, 900, n + 1) for n in range(quarters) for entity in entities], {}, {})
    roll_up_all(series, quarters)
    return series


def test_some_entities_can_be_asked_for_and_their_numbers_alone(series_adapter: SeriesAdapter) -> None:
    series = filled(series_adapter, 2)
    assert series.entities() == [ASK, PAY, OTHER]
    assert series.entities("other") == [OTHER]
    found = series.scan(900, 0, 1e9, entities=[PAY, OTHER], sketches="none")
    assert [(one.entity, one.stats.requests) for one in found] == [(PAY, 1), (PAY, 2), (OTHER, 1), (OTHER, 2)]
    assert {(one.latency, one.upstream, one.facets) for one in found} == {(b"", b"", b"")}
    assert found[0].stats == window(PAY, 0.0, 900).stats
    assert series.scan(900, 0, 1e9, entities=[]) == []


def test_latencies_can_be_asked_for_without_the_rest(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    whole = StoredWindow(PAY, WindowStats(0.0, 900, requests=1), b"latency", b"upstream", b"facets")
    series.append([whole], {}, {})
    assert series.scan(900, 0, 1e9) == [whole]
    assert series.scan(900, 0, 1e9, sketches="latency") == [replace(whole, upstream=b"", facets=b"")]
    assert series.scan(900, 0, 1e9, sketches="none") == [replace(whole, latency=b"", upstream=b"", facets=b"")]


@pytest.mark.parametrize("span_s", [900, 3_600, DAY_S])
def test_sums_are_those_of_the_windows(series_adapter: SeriesAdapter, span_s: int) -> None:
    series = filled(series_adapter, 200)
    for from_s, until_s in ((0, 1e9), (span_s, 3 * span_s)):
        expected: dict[Entity, int] = {}
        for one in series.scan(span_s, from_s, until_s):
            expected[one.entity] = expected.get(one.entity, 0) + one.stats.requests
        found = series.sums("requests", span_s, from_s, until_s)
        assert dict(found) == expected
        assert {entity for entity, _ in series.sums("requests", span_s, from_s, until_s, org="other")} == {OTHER} & set(
            expected
        )
    assert {value for _, value in series.sums("max_ms", span_s, 0, 1e9)} == {0.0}
    with pytest.raises(ForegateError, match="more than 1 windows"):
        series.sums("requests", span_s, 0, 1e9, rows_max=1)


def test_totals_are_all_routes_together_per_org_and_environment(series_adapter: SeriesAdapter) -> None:
    series = filled(series_adapter, 101)
    together = Entity("default", "", "", "production")
    for span_s, until_s in ((900, 90_000), (3_600, 90_000), (DAY_S, DAY_S)):
        found = series.totals(span_s, 0, until_s)
        parts = span_s // 900
        of_quarters = {
            float(start_s): sum(range(start_s // 900 + 1, start_s // 900 + parts + 1))
            for start_s in range(0, until_s, span_s)
        }
        assert {o.stats.start_s: o.stats.requests for o in found if o.entity == together} == {
            at: 2 * sum_ for at, sum_ in of_quarters.items()
        }
        apart = Entity("other", "", "", "staging")
        assert {
            o.stats.start_s: o.stats.requests for o in series.totals(span_s, 0, until_s, org="other")
        } == of_quarters
        assert {o.entity for o in found} == {together, apart}
    assert [one for one in series.scan(3_600, 0, 1e9) if not one.entity.service] == []


def test_what_is_stale_is_so_until_it_is_over_and_rolled_up_and_again_when_it_changes(
    series_adapter: SeriesAdapter,
) -> None:
    series = series_adapter.open_series()
    series.append([window(PAY, 900.0 * n, 900) for n in range(9)], {}, {})
    assert series.stale(0, 1e9) == [0.0, 3_600.0, 7_200.0]
    assert series.stale(0, 1e9, 900) == [900.0 * n for n in range(9)]
    roll_up_all(series, 9)
    assert series.stale(0, 1e9, 900) == [7_200.0]
    assert series.stale(0, 1e9) == [7_200.0]  # there may come more of it
    assert series.stale(0, 7_200.0) == []
    series.append([window(PAY, 3_600.0, 900, 5)], {}, {})
    assert series_adapter.open_series().stale(0, 7_200.0) == [3_600.0]
    roll_up_all(series, 1)
    assert series.stale(0, 7_200.0) == []
    assert [one.stats.requests for one in series.totals(3_600, 3_600, 7_200)] == [8]


def test_what_expires_goes_from_sums_and_totals_too(series_adapter: SeriesAdapter) -> None:
    series = filled(series_adapter, 100)
    series.expire(3_600, 7_200.0, org="other")
    series.expire(900, 7_200.0)
    assert len(series.totals(3_600, 0, 7_200, org="other")) == 0
    assert len(series.totals(3_600, 0, 7_200, org="default")) == 2
    assert {entity for entity, _ in series.sums("requests", 3_600, 0, 7_200)} == {ASK, PAY}
    assert series.totals(900, 0, 7_200) == []
