"""What the SQLite series store does beyond its port."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.adapters.embedded.series_schema import MIGRATIONS
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


def test_windows_of_the_version_before_are_there_after_its_migration(tmp_path: Path) -> None:
    stored = [quarter(f"/{n}", 900.0 * at) for at in range(3) for n in range(5)]
    with closing(sqlite3.connect(tmp_path / "series.sqlite")) as old:
        old.executescript(";".join(MIGRATIONS[:4]) + "; PRAGMA user_version = 4")
        for one in stored:
            names = msgspec.structs.astuple(one.entity)
            old.execute("INSERT OR IGNORE INTO entities VALUES (?, ?, ?, ?, ?)", (int(names[2][1:]) + 1, *names))
            row = (900, one.stats.start_s, int(names[2][1:]) + 1, msgspec.msgpack.encode(one.stats))
            old.execute("INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, b"latency", b"upstream", b"facets"))
        old.commit()
    with closing(EmbeddedSeries(tmp_path / "series.sqlite")) as series:
        found = series.scan(900, 0, 1e9)
        assert [(one.entity.route, one.stats.start_s) for one in found] == [
            (f"/{n}", 900.0 * at) for n in range(5) for at in range(3)
        ]
        assert {(one.latency, one.upstream, one.facets) for one in found} == {(b"latency", b"upstream", b"facets")}


def test_a_window_of_a_version_that_counted_less_says_that_nobody_has_counted_the_rest(tmp_path: Path) -> None:
    known = WindowStats(600.0, 60, requests=5, p95_ms=12.5, max_ms=20.0)
    with closing(EmbeddedSeries(tmp_path / "series.sqlite")) as series:
        series.append([StoredWindow(Entity("default", "s", "/", "production"), known, b"", b"")], {}, {})
        series._db.execute(
            "UPDATE windows SET stats = ?", (msgspec.msgpack.encode(msgspec.structs.astuple(known)[:20]),)
        )
        (found,) = series.scan(60, 0, 1e9)
    assert found.stats == known


@pytest.mark.parametrize("org", [None, "default"])
def test_what_expires_leaves_nothing_of_a_window_behind(tmp_path: Path, org: str | None) -> None:
    with closing(EmbeddedSeries(tmp_path / "series.sqlite")) as series:
        series.append([quarter(f"/{n}", 900.0 * at) for at in range(4) for n in range(3)], {}, {})
        assert series.expire(900, 1_800.0, org=org) == 6
    with closing(sqlite3.connect(tmp_path / "series.sqlite")) as db:
        for table in ("windows", "details"):
            assert db.execute(f"SELECT count(*), min(start_s) FROM {table}").fetchone() == (6, 1_800.0)


def test_what_expires_of_one_organisation_and_what_is_rolled_up_is_found_without_looking_at_all(tmp_path: Path) -> None:
    """The work of SQLite, counted in its own steps, beside what it takes with a tenth of the windows."""
    small = Entity("small", "s", "/", "production")

    def steps(others: int) -> int:
        counted: list[int] = []
        with closing(EmbeddedSeries(tmp_path / f"{others}.sqlite")) as series:
            series.append([quarter(f"/{n}", 900.0 * at) for n in range(others) for at in range(4)], {}, {})
            while series.roll_up(merge_windows, 10_000):
                pass
            series.append([StoredWindow(small, WindowStats(0.0, 900), b"", b"")], {}, {})
            series._db.set_progress_handler(lambda: counted.append(1), 10)
            assert series.expire(900, 1e9, org="small") == 1
            assert len(series._parts(quarter("/0", 0.0).entity, 1, 3_600, 0)) == 4
        return len(counted)

    few, many = steps(100), steps(1_000)
    assert many < 3 * few, (few, many)
