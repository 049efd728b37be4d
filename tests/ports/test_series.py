"""The series store: windows, offsets and accounts move together."""

import threading

import pytest
from tests.ports.conftest import Adapter

from foregate.wire.entity import Entity
from foregate.wire.window import StoredWindow, WindowStats

PAY = Entity("default", "payments", "/pay", "production")
ASK = Entity("default", "ai", "/ask", "production")


def window(entity: Entity = PAY, start_s: float = 600.0, span_s: int = 60, requests: int = 1) -> StoredWindow:
    stats = WindowStats(start_s, span_s, requests=requests, p95_ms=12.5)
    return StoredWindow(entity, stats, b"latency", b"upstream")


def test_a_window_comes_back_as_it_was(adapter: Adapter) -> None:
    adapter.open_series().write([window()], {}, {})
    assert adapter.open_series().scan(60, 0, 1_000) == [window()]


def test_writing_a_window_again_replaces_it(adapter: Adapter) -> None:
    series = adapter.open_series()
    series.write([window(requests=1)], {}, {})
    series.write([window(requests=9)], {}, {})
    assert series.scan(60, 0, 1_000) == [window(requests=9)]


def test_a_scan_is_ordered_by_entity_and_start_and_half_open(adapter: Adapter) -> None:
    series = adapter.open_series()
    series.write([window(entity, start_s) for start_s in (660.0, 600.0, 720.0) for entity in (PAY, ASK)], {}, {})
    found = [(one.entity, one.stats.start_s) for one in series.scan(60, 600.0, 720.0)]
    assert found == [(ASK, 600.0), (ASK, 660.0), (PAY, 600.0), (PAY, 660.0)]


def test_a_scan_can_ask_for_one_entity_and_one_span(adapter: Adapter) -> None:
    series = adapter.open_series()
    series.write([window(PAY), window(ASK), window(PAY, 0.0, 900)], {}, {})
    assert series.scan(60, 0, 1_000, entity=PAY) == [window(PAY)]
    assert series.scan(60, 0, 1_000, entity=Entity("other", "payments", "/pay", "production")) == []
    assert series.scan(900, 0, 1_000) == [window(PAY, 0.0, 900)]


def test_a_scan_keeps_its_bound(adapter: Adapter) -> None:
    series = adapter.open_series()
    series.write([window(start_s=60.0 * n) for n in range(10)], {}, {})
    assert len(series.scan(60, 0, 1e9, rows_max=4)) == 4


def test_offsets_are_set_and_accounts_are_added_to(adapter: Adapter) -> None:
    series = adapter.open_series()
    series.write([], {0: 5, 1: 7}, {"accepted": 10})
    series.write([], {0: 6}, {"accepted": 5, "late": 1})
    other = adapter.open_series()
    assert other.offsets() == {0: 6, 1: 7}
    assert other.counts() == {"accepted": 15, "late": 1}


def test_a_write_that_fails_changes_nothing(adapter: Adapter) -> None:
    series = adapter.open_series()
    broken = StoredWindow(ASK, WindowStats(600.0, 60), latency=None, upstream=b"")  # type: ignore[arg-type]
    with pytest.raises(OSError, match="NOT NULL"):
        series.write([window(), broken], {0: 1}, {"accepted": 2})
    assert (series.scan(60, 0, 1_000), series.offsets(), series.counts()) == ([], {}, {})
    series.write([window(ASK)], {0: 1}, {"accepted": 1})
    assert adapter.open_series().scan(60, 0, 1_000) == [window(ASK)]


def test_expiry_deletes_one_span_before_a_time(adapter: Adapter) -> None:
    series = adapter.open_series()
    series.write([window(start_s=60.0 * n) for n in range(10)] + [window(start_s=0.0, span_s=900)], {}, {})
    assert series.expire(60, 300.0) == 5
    assert [one.stats.start_s for one in series.scan(60, 0, 1_000)] == [300.0, 360.0, 420.0, 480.0, 540.0]
    assert len(series.scan(900, 0, 1_000)) == 1


def test_newest_says_where_the_windows_end(adapter: Adapter) -> None:
    series = adapter.open_series()
    assert series.newest_s(60) is None
    series.write([window(start_s=600.0), window(ASK, 660.0)], {}, {})
    assert series.newest_s(60) == 660.0
    assert series.newest_s(10) is None


def test_readers_see_whole_writes_while_the_writer_writes(adapter: Adapter) -> None:
    writer, reader = adapter.open_series(), adapter.open_series()
    writer.write([window(requests=0), window(ASK, requests=0)], {}, {})

    def write() -> None:
        for n in range(1, 150):
            writer.write([window(requests=n), window(ASK, requests=n)], {0: n}, {})

    thread = threading.Thread(target=write)
    thread.start()
    seen = []
    while thread.is_alive():
        seen.append([one.stats.requests for one in reader.scan(60, 0, 1_000)])
    thread.join()
    assert all(left == right for left, right in seen)
    assert [one.stats.requests for one in reader.scan(60, 0, 1_000)] == [149, 149]
