"""A disk that fills up is announced, refuses cleanly, and goes on by itself."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import CapturingLogger
from tests.ports.archive_world import ALL_S
from tests.telemetry.making import T0, event, payload

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.archive.writer import EmbeddedArchive
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.archiving import Archiving
from foregate.app.disk import LOOK_EVERY_S, Disk, DiskWatch, Level, WithRoom, level_of
from foregate.kernel.clock import ManualClock
from foregate.wire import TOPIC_EVENTS

MB = 1_048_576
GB = 1_024 * MB


@pytest.mark.parametrize(
    ("free", "total", "level"),
    [
        (30 * GB, 200 * GB, "ok"),
        (19 * GB, 200 * GB, "low"),
        (1.9 * GB, 10 * GB, "low"),
        (499 * MB, 200 * GB, "critical"),
        (255 * MB, 200 * GB, "full"),
        (0, 200 * GB, "full"),
        (60 * MB, 64 * MB, "low"),
        (2 * MB, 64 * MB, "critical"),
        (1 * MB, 64 * MB, "full"),
    ],
)
def test_how_much_room_means_what(free: float, total: float, level: Level) -> None:
    assert level_of(int(free), int(total)) == level


class SmallDisk:
    """A folder on a file system of 64 MB, of which as much is taken as one likes."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch | None) -> None:
        self.folder = folder
        self._patch = patch

    def leave(self, free_bytes: int) -> None:
        if self._patch is not None:
            found = SimpleNamespace(f_bavail=free_bytes // 4_096, f_frsize=4_096, f_blocks=16_384)
            self._patch.setattr(os, "statvfs", lambda _: found)
            return
        ballast = self.folder / "ballast"
        ballast.unlink(missing_ok=True)
        state = os.statvfs(self.folder)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, state.f_bavail * state.f_frsize - free_bytes)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """A real small file system; where nobody may mount one, what the system says about it is made up."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield SmallDisk(folder, None if mounted else monkeypatch)
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_nothing_is_stored_below_the_reserve_reading_goes_on_and_storing_too_when_there_is_room(
    disk: SmallDisk,
) -> None:
    clock = ManualClock(T0)
    bus = EmbeddedBus(disk.folder / "bus.sqlite", clock)
    archive = EmbeddedArchive(disk.folder / "archive", clock)
    reader = EmbeddedArchiveReader(disk.folder / "archive")
    archiving = Archiving(lambda: bus, archive, 0.0, clock)
    keeping = WithRoom(archiving, Disk(disk.folder, clock))
    bus.append(TOPIC_EVENTS, 0, payload([event()]), 1, producer="p", sequence=1)
    assert keeping.step() == 1
    bus.append(TOPIC_EVENTS, 0, payload([event()]), 1, producer="p", sequence=2)
    disk.leave(MB)
    clock.advance(LOOK_EVERY_S)
    for _ in range(2):
        with pytest.raises(OSError, match="too little free disk"):
            keeping.step()
    assert len(reader.scan("events", "default", *ALL_S).rows) == 1
    disk.leave(30 * MB)
    clock.advance(LOOK_EVERY_S)
    assert keeping.step() == 1
    keeping.close()
    assert len(reader.scan("events", "default", *ALL_S).rows) == 2
    archive.close()
    reader.close()


def test_each_level_is_said_once_when_it_begins(disk: SmallDisk) -> None:
    clock, log = ManualClock(), CapturingLogger()
    watch: Any = DiskWatch(Disk(disk.folder, clock), log)  # type: ignore[arg-type]
    for free_mb in (60, 50, 2, 2, 1, 30):
        disk.leave(free_mb * MB)
        clock.advance(LOOK_EVERY_S)
        watch.step()
        watch.step()
    assert [(call.method_name, call.args[0], call.kwargs["level"]) for call in log.calls] == [
        ("warning", "disk_low", "low"),
        ("error", "disk_critical", "critical"),
        ("error", "disk_full", "full"),
        ("warning", "disk_low", "low"),
    ]
