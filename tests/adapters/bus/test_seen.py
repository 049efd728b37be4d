"""The memory of batch ids has a bound in rows, and keeps the newest."""

from contextlib import closing
from pathlib import Path

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.kernel.clock import ManualClock
from foregate.ports.bus import Append


def send(bus: EmbeddedBus, numbers: range) -> list[bool]:
    return bus.append_all([Append("events", 0, b"x", 1, once=f"batch {number}") for number in numbers])


def test_beyond_its_bound_the_oldest_ids_are_forgotten(tmp_path: Path) -> None:
    with closing(EmbeddedBus(tmp_path / "bus.sqlite", ManualClock(), once_rows_max=1_000)) as bus:
        assert all(send(bus, range(5_000)))
        assert not any(send(bus, range(4_000, 5_000)))
        (rows,) = bus._file.db.execute("SELECT count(*) FROM seen").fetchone()
        assert 1_000 <= rows < 1_100
        assert all(send(bus, range(10)))


def test_ids_older_than_a_day_take_no_room(tmp_path: Path) -> None:
    clock = ManualClock()
    with closing(EmbeddedBus(tmp_path / "bus.sqlite", clock)) as bus:
        send(bus, range(1_000))
        clock.advance(86_401.0)
        send(bus, range(1_000, 1_400))
        (rows,) = bus._file.db.execute("SELECT count(*) FROM seen").fetchone()
        assert rows < 500
