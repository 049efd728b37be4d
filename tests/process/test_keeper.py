"""kill -9 of the keeper at random moments: what is on the bus comes into the archive, exactly once."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from tests.process.harness import every_event
from tests.telemetry.making import T0, event, payload

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.archive.segments import files_under
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime, write_runtime
from foregate.kernel.clock import SystemClock
from foregate.wire import TOPIC_EVENTS
from foregate.wire.snapshot import Snapshot, encode_snapshot

KILLS = int(os.environ.get("FOREGATE_TEST_KILLS", "3"))


def keeper(data: DataDir) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "foregate.app.roles", "keeper", "--data-dir", str(data.root)]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_what_is_on_the_bus_is_archived_exactly_once_across_kill_9(tmp_path: Path) -> None:
    data, chance = DataDir(tmp_path / "data"), random.Random(7)
    data.create()
    write_runtime(data, Runtime("127.0.0.1", 0, "", 1, 0.8, flush_interval_s=0.02))
    data.snapshot.write_bytes(encode_snapshot(Snapshot("test", (), (), (), (), ())))
    bus = EmbeddedBus(data.bus, SystemClock())
    reader = EmbeddedArchiveReader(data.archive)
    plain, appended = event(time_s=T0), 0
    for _ in range(KILLS):
        process = keeper(data)
        begin, kill_at_s = reader.items("events"), float("inf")
        while time.monotonic() < kill_at_s:
            assert process.poll() is None
            if kill_at_s == float("inf") and reader.items("events") > begin:  # it works
                kill_at_s = time.monotonic() + chance.random() * 0.4
            batch = [
                msgspec.structs.replace(plain, request_id=str(appended + at), time_s=T0 + at * 60) for at in range(50)
            ]
            bus.append(TOPIC_EVENTS, appended % 4, payload(batch), 50, producer="p", sequence=appended)
            appended += 50
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = keeper(data)
    until_s = time.monotonic() + 30.0
    while reader.items("events") < appended and time.monotonic() < until_s:
        time.sleep(0.05)
    last.terminate()
    assert last.wait(20) == 0
    ids = [int(row["request_id"]) for row in every_event(reader)]
    assert sorted(ids) == list(range(appended))
    assert reader.counts("events")["accepted"] == appended
    named = sum(segment.bytes for segment in reader._manifest.segments())
    unnamed = len(reader._manifest.replaced())
    files = list(files_under(data.archive))
    assert len(files) == len(reader._manifest.segments()) + unnamed  # nothing half-done was left
    assert sum(file.stat().st_size for file in files) >= named
    reader.close()
    bus.close()
