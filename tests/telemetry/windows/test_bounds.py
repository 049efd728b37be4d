"""What senders say without end, or make up, costs a bounded number of windows, and sums that the store can hold."""

from pathlib import Path

import msgspec
import pytest
from tests.telemetry.making import T0, event

from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.telemetry.facets import counts_of
from foregate.telemetry.rollup import merge_windows
from foregate.telemetry.sketch import SUM_MAX
from foregate.telemetry.windows import Windower, windower
from foregate.wire.entity import Entity

LONG_AGO_S = T0 - 9_000


def test_services_without_end_end_as_one_of_their_org(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windower, "_OTHERS_MAX", 2)
    bounded = Windower(entities_max=3)
    events = [event(service=f"s{n}", environment=f"e{n}") for n in range(50)]
    bounded.add(events, T0)
    bounded.add_past([msgspec.structs.replace(one, time_s=LONG_AGO_S) for one in events], T0)
    bounded.unknown()
    bounded.learn(())
    drained = [window for window in bounded.drain_dirty() if window.stats.span_s == 60]
    for start_s, entities in ((T0, 6), (LONG_AGO_S, 9)):
        found = [one for one in drained if one.stats.start_s == start_s]
        assert len(found) == entities
        assert sum(one.stats.requests for one in found) == sum(sum(counts_of(one.facets)) for one in found) == 50
        assert all(one.stats.requests == sum(counts_of(one.facets)) for one in found)
        assert Entity("default", "other", "other", "other") in [one.entity for one in found]
    assert bounded.counts["accepted"] == 100


def test_sums_of_what_a_sender_makes_up_stay_within_the_store(tmp_path: Path) -> None:
    counting = Windower()
    counting.add([event(request_bytes=1 << 44, latency_ms=1e9)] * 6_000, T0)
    counting.ticks(T0 + 10)
    quarter = next(window for window in counting.drain_dirty() if window.stats.span_s == 900)
    for _ in range(2):
        quarter = merge_windows([quarter] * 96, 900, T0)
    store = EmbeddedSeries(tmp_path / "series.sqlite")
    store.append([quarter], {("events", 0): 1}, {})
    while store.roll_up(merge_windows, 8):
        pass
    [day] = store.scan(86_400, 0, T0 * 2)
    assert (day.stats.requests, day.stats.request_bytes) == (6_000 * 96 * 96, SUM_MAX)
    hours = [merge_windows([quarter] * 4, 900, T0 + hour * 3_600) for hour in range(200)]
    store.append(hours, {("events", 0): 2}, {})
    while store.roll_up(merge_windows, 64):
        pass
    assert store.sums("request_bytes", 3_600, 0, T0 * 2)[0][1] > SUM_MAX
    store.close()
