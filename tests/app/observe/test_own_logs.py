"""foregate's own log reaches the bus: every line once, over rotation and restarts, and never at the cost of stderr."""

import json
from pathlib import Path

import pytest

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.observe import own_logs
from foregate.app.observe.own_logs import OwnLog, OwnLogReader
from foregate.kernel.clock import SystemClock
from foregate.wire import TOPIC_LOGS
from foregate.wire.log import LogRecord, decode_logs

AT = "2026-11-21T10:00:00.5Z"


def event(name: str, **fields: object) -> dict[str, object]:
    return {"event": name, "level": "warning", "time": AT, "process": "tester", **fields}


def reader(folder: Path) -> OwnLogReader:
    clock = SystemClock()
    return OwnLogReader(folder / "log", EmbeddedBus(folder / "bus.sqlite", clock), "acme", "test", "host-1", clock)


def moved(folder: Path) -> list[LogRecord]:
    bus = EmbeddedBus(folder / "bus.sqlite", SystemClock())
    records = [record for batch in bus.read(TOPIC_LOGS, 0, -1, 1_000) for record in decode_logs(batch.payload)]
    bus.close()
    return records


def test_a_line_becomes_a_record_with_its_fields(tmp_path: Path) -> None:
    log = OwnLog(tmp_path / "log" / "a.ndjson")
    given = event("disk_full", path="/x", free=3, request_id="r-1")
    assert log(None, "warning", given) is given
    reading = reader(tmp_path)
    assert reading.step() == 1
    assert reading.step() == 0
    (record,) = moved(tmp_path)
    assert (record.org, record.environment, record.service, record.instance) == ("acme", "test", "foregate", "host-1")
    assert (record.body, record.severity, record.time_ns, record.request_id) == (
        "disk_full", 13, 1_795_255_200_500_000_000, "r-1",
    )  # fmt: skip
    assert record.attributes == {"process": "tester", "path": "/x", "free": "3"}
    reading.close()


def test_every_line_comes_once_over_rotation_and_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_logs, "FILE_BYTES_MAX", 2_000)
    log = OwnLog(tmp_path / "log" / "a.ndjson")
    for number in range(100):
        log(None, "info", event("line", number=number))
        if number % 10 == 0:
            reading = reader(tmp_path)
            reading.step()
            reading.close()
    reader(tmp_path).close()
    assert [int(record.attributes["number"]) for record in moved(tmp_path)] == list(range(100))


def test_half_a_line_waits_for_its_end_and_a_damaged_one_costs_no_other(tmp_path: Path) -> None:
    file = tmp_path / "log" / "a.ndjson"
    file.parent.mkdir()
    whole = json.dumps(event("one")) + "\n"
    file.write_text(whole + "{broken\n" + whole[:20])
    reading = reader(tmp_path)
    assert reading.step() == 1
    file.write_text(whole + "{broken\n" + whole)
    assert reading.step() == 1
    reading.close()


def test_a_log_that_cannot_be_written_passes_events_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = OwnLog(tmp_path / "file" / "a.ndjson")
    assert log(None, "info", event("still_said"))["event"] == "still_said"
