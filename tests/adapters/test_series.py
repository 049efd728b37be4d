"""What the SQLite series store does beyond its port."""

from pathlib import Path

from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.telemetry.rollup import merge_windows
from foregate.wire.entity import Entity
from foregate.wire.window import StoredWindow, WindowStats


def quarter(route: str, start_s: float) -> StoredWindow:
    return StoredWindow(Entity("default", "s", route, "production"), WindowStats(start_s, 900, requests=1), b"", b"")


def test_hours_that_are_over_do_not_wait_for_those_that_are_filling(tmp_path: Path) -> None:
    series = EmbeddedSeries(tmp_path / "series.sqlite")
    series.append([quarter(f"/filling/{n}", 3_600.0) for n in range(50)], {}, {})
    series.append([quarter("/over", 0.0)], {}, {})
    assert series.roll_up(merge_windows, 10) == 1
    assert [one.entity.route for one in series.scan(3_600, 0, 1e9)] == ["/over"]
    assert series.roll_up(merge_windows, 100) > 0
    assert len(series.scan(3_600, 0, 1e9)) == 51
    series.close()
