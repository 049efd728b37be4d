"""The keeper's stores of journeys and logs, on a real bus, stopped and begun anew."""

from contextlib import closing
from pathlib import Path

import pytest
from tests.adapters.logs.making import T0_NS, record
from tests.telemetry.journeys.making import span

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.app.bus_readers import NeededByJourneys
from foregate.app.journeys import JourneyKeeping, LogKeeping, journey_answers
from foregate.app.paths import DataDir
from foregate.kernel.clock import ManualClock
from foregate.ports.logs import LogAsk
from foregate.wire import TOPIC_LOGS, TOPIC_SPANS
from foregate.wire.log import encode_logs
from foregate.wire.span import encode_spans
from foregate.wire.survey import Journeys

ASK = LogAsk("default", 0, 9e9)


def test_log_records_are_taken_once_whenever_their_keeper_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, data = ManualClock(T0_NS / 1e9), DataDir(tmp_path)
    bus = EmbeddedBus(data.bus, clock)
    for number in range(3):
        records = [record(f"r{number}-{at}", at) for at in range(10)]
        bus.append(TOPIC_LOGS, number % 2, encode_logs(records), 10, producer="p", sequence=number)
        keeping = LogKeeping(lambda: EmbeddedBus(data.bus, clock), data, clock)
        with monkeypatch.context() as broken:  # at the last statement but the commit
            broken.setattr("foregate.adapters.embedded.logs.store.grow", _full)
            with pytest.raises(OSError, match="full"):
                keeping.step()
        assert keeping.step() == 10
        assert keeping.step() == 0
        keeping.close()
    bus.append(TOPIC_LOGS, 0, b"\xc1", 7, producer="p", sequence=9)
    keeping = LogKeeping(lambda: EmbeddedBus(data.bus, clock), data, clock)
    keeping.step()
    keeping.close()
    logs = EmbeddedLogs(data.logs, clock)
    assert sorted(one.body for one in logs.search(ASK, 100).found) == sorted(
        f"r{number}-{at}" for number in range(3) for at in range(10)
    )
    assert logs.counts() == {"accepted": 30, "invalid": 7}
    logs.close()
    bus.close()


def _full(*_of: object) -> None:
    raise OSError("the disk is full")


def test_a_new_version_that_spans_say_is_kept_as_one_deployment(tmp_path: Path) -> None:
    clock, data = ManualClock(T0_NS / 1e9), DataDir(tmp_path)
    bus = EmbeddedBus(data.bus, clock)
    spans = [span(f"s{at}", start_ms=at, attributes={"service.version": f"1.{at // 5}"}) for at in range(10)]
    bus.append(TOPIC_SPANS, 0, encode_spans(spans), len(spans), producer="p", sequence=1)
    keeping = JourneyKeeping(lambda: EmbeddedBus(data.bus, clock), data, Journeys(), clock)
    keeping.step()
    keeping.step()
    keeping.close()
    with closing(EmbeddedChanges(data.changes)) as store:
        (found,) = store.recent(10)
    assert (found.kind, found.org, found.services, found.version, found.by) == (
        "deployment", "default", ("shop",), "1.1", "telemetry",
    )  # fmt: skip
    assert found.time_s == spans[5].start_ns / 1e9
    bus.close()


def test_journeys_are_kept_and_the_bus_is_told_what_is_still_needed(tmp_path: Path) -> None:
    clock, data = ManualClock(T0_NS / 1e9), DataDir(tmp_path)
    bus = EmbeddedBus(data.bus, clock)
    bus.append(TOPIC_SPANS, 0, encode_spans([span("a")]), 1, producer="p", sequence=1)
    keeping = JourneyKeeping(lambda: EmbeddedBus(data.bus, clock), data, Journeys(), clock)
    assert keeping.step() == 1
    needed = NeededByJourneys(data)
    assert needed.offsets(TOPIC_SPANS) == {0: -1}
    keeping.close()
    keeping = JourneyKeeping(lambda: EmbeddedBus(data.bus, clock), data, Journeys(), clock)
    clock.advance(11)
    keeping.step()
    assert needed.offsets(TOPIC_SPANS) == {0: 0}
    needed.close()
    keeping.close()
    found = journey_answers(data).journey("default", span("a").trace_id)
    assert found is not None
    assert [row.name for row in found.rows] == ["a"]
    bus.close()
