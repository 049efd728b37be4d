"""The series store: windows, offsets and accounts move together."""

import threading
from collections.abc import Sequence

import msgspec
import pytest
from tests.ports.conftest import SeriesAdapter

from foregate.ports.series import SeriesReader, SeriesWriter
from foregate.wire.entity import Entity
from foregate.wire.window import StoredWindow, WindowStats

PAY = Entity("default", "payments", "/pay", "production")
ASK = Entity("default", "ai", "/ask", "production")


def window(entity: Entity = PAY, start_s: float = 600.0, span_s: int = 60, requests: int = 1) -> StoredWindow:
    stats = WindowStats(start_s, span_s, requests=requests, p95_ms=12.5)
    return StoredWindow(entity, stats, b"latency", b"upstream", b"facets")


def test_a_window_comes_back_as_it_was(series_adapter: SeriesAdapter) -> None:
    numbers = {name: at for at, name in enumerate(WindowStats.__struct_fields__[2:], 1)}
    stored = msgspec.structs.replace(window(), stats=WindowStats(600.0, 60, **numbers))
    series_adapter.open_series().append([stored], {}, {})
    assert series_adapter.open_series().scan(60, 0, 1_000) == [stored]


def test_writing_a_window_again_replaces_it(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(requests=1)], {}, {})
    series.append([window(requests=9)], {}, {})
    assert series.scan(60, 0, 1_000) == [window(requests=9)]


def test_a_scan_is_ordered_by_entity_and_start_and_half_open(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(entity, start_s) for start_s in (660.0, 600.0, 720.0) for entity in (PAY, ASK)], {}, {})
    found = [(one.entity, one.stats.start_s) for one in series.scan(60, 600.0, 720.0)]
    assert found == [(ASK, 600.0), (ASK, 660.0), (PAY, 600.0), (PAY, 660.0)]


def test_a_scan_can_ask_for_one_entity_and_one_span(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(PAY), window(ASK), window(PAY, 0.0, 900)], {}, {})
    assert series.scan(60, 0, 1_000, entity=PAY) == [window(PAY)]
    assert series.scan(60, 0, 1_000, entity=Entity("other", "payments", "/pay", "production")) == []
    assert series.scan(900, 0, 1_000) == [window(PAY, 0.0, 900)]


def test_a_scan_keeps_its_bound(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(start_s=60.0 * n) for n in range(10)], {}, {})
    assert len(series.scan(60, 0, 1e9, rows_max=4)) == 4


def test_offsets_are_set_and_accounts_are_added_to(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([], {("events", 0): 5, ("events", 1): 7, ("history", 0): 3}, {"accepted": 10})
    series.append([], {("events", 0): 6}, {"accepted": 5, "late": 1})
    other = series_adapter.open_series()
    assert other.offsets() == {0: 6, 1: 7}
    assert other.offsets("history") == {0: 3}
    assert other.offsets("spans") == {}
    assert other.counts() == {"accepted": 15, "late": 1}


def test_a_write_that_fails_changes_nothing(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    broken = StoredWindow(ASK, WindowStats(600.0, 60), latency=None, upstream=b"")  # type: ignore[arg-type]
    with pytest.raises(OSError, match=r"NOT NULL|not-null|null value"):
        series.append([window(), broken], {("events", 0): 1}, {"accepted": 2})
    assert (series.scan(60, 0, 1_000), series.offsets(), series.counts()) == ([], {}, {})
    series.append([window(ASK)], {("events", 0): 1}, {"accepted": 1})
    assert series_adapter.open_series().scan(60, 0, 1_000) == [window(ASK)]


def test_expiry_may_be_of_one_org_alone(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    other = Entity("other", "payments", "/pay", "production")
    series.append([window(entity, 60.0 * n) for n in range(4) for entity in (PAY, other)], {}, {})
    assert series.expire(60, 120.0, org="other") == 2
    assert [one.stats.start_s for one in series.scan(60, 0, 1_000, entity=other)] == [120.0, 180.0]
    assert len(series.scan(60, 0, 1_000, entity=PAY)) == 4


def test_expiry_deletes_one_span_before_a_time(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(start_s=60.0 * n) for n in range(10)] + [window(start_s=0.0, span_s=900)], {}, {})
    assert series.expire(60, 300.0) == 5
    assert [one.stats.start_s for one in series.scan(60, 0, 1_000)] == [300.0, 360.0, 420.0, 480.0, 540.0]
    assert len(series.scan(900, 0, 1_000)) == 1


def test_newest_says_where_the_windows_end(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    assert series.newest_s(60) is None
    series.append([window(start_s=600.0), window(ASK, 660.0)], {}, {})
    assert series.newest_s(60) == 660.0
    assert series.newest_s(10) is None


def test_readers_see_whole_writes_while_the_writer_writes(series_adapter: SeriesAdapter) -> None:
    writer, reader = series_adapter.open_series(), series_adapter.open_series()
    writer.append([window(requests=0), window(ASK, requests=0)], {}, {})

    def write() -> None:
        for n in range(1, 150):
            writer.append([window(requests=n), window(ASK, requests=n)], {("events", 0): n}, {})

    thread = threading.Thread(target=write)
    thread.start()
    seen = []
    while thread.is_alive():
        seen.append([one.stats.requests for one in reader.scan(60, 0, 1_000)])
    thread.join()
    assert all(left == right for left, right in seen)
    assert [one.stats.requests for one in reader.scan(60, 0, 1_000)] == [149, 149]


def summed(parts: Sequence[StoredWindow], span_s: int, start_s: float) -> StoredWindow:
    """A merge that can be checked by hand: requests are added, of the bytes those of the first and the last part."""
    stats = WindowStats(start_s, span_s, requests=sum(one.stats.requests for one in parts))
    return StoredWindow(parts[0].entity, stats, parts[0].latency, parts[-1].upstream, parts[0].facets)


def roll_up_all(series: SeriesWriter, windows_max: int = 100) -> int:
    made = 0
    while more := series.roll_up(summed, windows_max):
        assert more <= windows_max
        made += more
    return made


def requests_of(series: SeriesReader, span_s: int) -> dict[tuple[str, float], int]:
    return {(one.entity.service, one.stats.start_s): one.stats.requests for one in series.scan(span_s, 0, 1e9)}


def test_quarters_are_rolled_up_into_hours_and_hours_into_days(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    quarters = [window(entity, 900.0 * n, 900, n + 1) for n in range(100) for entity in (PAY, ASK)]
    series.append([*quarters, window(PAY, 0.0, 60)], {}, {})
    made = roll_up_all(series, windows_max=7)
    hours = {3_600.0 * hour: sum(range(4 * hour + 1, 4 * hour + 5)) for hour in range(25)}
    assert requests_of(series, 3_600) == {(name, at): sum_ for at, sum_ in hours.items() for name in ("payments", "ai")}
    days = {0.0: sum(range(1, 97)), 86_400.0: 97 + 98 + 99 + 100}
    assert requests_of(series, 86_400) == {(name, at): sum_ for at, sum_ in days.items() for name in ("payments", "ai")}
    assert made >= 2 * (25 + 2)
    assert series.roll_up(summed, 100) == 0


def test_a_window_that_changes_makes_its_roll_ups_stale_and_no_others(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(PAY, 900.0 * n, 900) for n in range(96 * 3)], {}, {})
    roll_up_all(series)
    series.append([window(PAY, 86_400.0 + 4_500.0, 900, 11)], {}, {})
    assert roll_up_all(series_adapter.open_series()) == 2
    assert requests_of(series, 3_600)["payments", 90_000.0] == 14
    assert requests_of(series, 86_400)["payments", 86_400.0] == 106


def test_a_day_is_made_again_when_its_hour_was_in_the_same_call(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(PAY, 0.0, 900)], {}, {})
    series.roll_up(summed, 1)  # the hour: now its day is stale
    series.append([window(PAY, 900.0, 900, 10)], {}, {})  # and the hour again, behind it
    roll_up_all(series)
    assert requests_of(series, 86_400) == {("payments", 0.0): 11}


def test_a_roll_up_keeps_all_that_a_window_is(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(PAY, 0.0, 900)], {}, {})
    roll_up_all(series)
    assert series.scan(3_600, 0, 1) == [
        StoredWindow(PAY, WindowStats(0.0, 3_600, 1), b"latency", b"upstream", b"facets")
    ]


def test_a_merge_that_fails_leaves_its_windows_stale(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(PAY, 0.0, 900), window(ASK, 0.0, 900)], {}, {})

    def failing(parts: Sequence[StoredWindow], span_s: int, start_s: float) -> StoredWindow:
        raise ValueError("a sketch is cut short")

    with pytest.raises(ValueError, match="cut short"):
        series.roll_up(failing, 10)
    assert roll_up_all(series) == 4


def test_a_roll_up_outlives_what_it_was_made_of(series_adapter: SeriesAdapter) -> None:
    series = series_adapter.open_series()
    series.append([window(PAY, 0.0, 900, 5)], {}, {})
    roll_up_all(series)
    series.append([window(PAY, 900.0, 900, 6)], {}, {})
    series.expire(900, 10_000.0)
    roll_up_all(series)
    assert requests_of(series, 3_600) == {("payments", 0.0): 5}
