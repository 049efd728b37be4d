"""The analyzer's work on real stores: windows, verdicts and messages, across a restart."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
import structlog

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.analysis import Analysis
from foregate.app.false_alarms import FalseAlarmFile
from foregate.app.notify import Notifications
from foregate.app.signals import Signals
from foregate.kernel.clock import ManualClock
from foregate.ports.notifier import Notifier
from foregate.predict import Analyst, Models, Thresholds
from foregate.predict.models.model import bundled_model
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.windows import Windower
from foregate.wire import TOPIC_EVENTS, TOPIC_RISKS
from foregate.wire.event import RequestEvent, encode_event
from foregate.wire.risk import Risk

START_S = 1_700_000_040.0  # on a minute's border


def event(time_s: float, number: int, slow: float = 1.0) -> RequestEvent:
    return RequestEvent(
        time_s, "o", "pay", "/pay", "GET", 200, slow * (20.0 + number % 7), 18.0, 0, 10, "k", "test",
        f"r-{time_s}-{number}", "t", "s", 1, "none", "closed", "none", "", "http://x", 1, 19.0,
    )  # fmt: skip


class Machine:
    """One data directory, one clock, and the analyzer of the moment."""

    def __init__(
        self,
        folder: Path,
        analyst: Callable[[], Analyst] = lambda: Analyst(Models(bundled_model()), Thresholds(0.8)),
        told: Notifier | None = None,
        signals: Signals | None = None,
    ) -> None:
        self.make_analyst, self.told, self.signals = analyst, told, signals
        self.clock = ManualClock(START_S)
        self.folder = folder
        self.sequence = 0
        self.open()

    def open(self) -> None:
        self.bus = EmbeddedBus(self.folder / "bus", self.clock)
        self.series = EmbeddedSeries(self.folder / "series")
        self.findings = EmbeddedFindings(self.folder / "findings")
        log = structlog.wrap_logger(structlog.ReturnLogger())
        self.notifications = Notifications(self.told, log)
        self.analysis = Analysis(
            bus=self.bus,
            series=self.series,
            findings=self.findings,
            consumer=Consumer(self.bus, self.series, self.series, Windower(), self.clock),
            analyst=self.make_analyst(),
            notifications=self.notifications,
            clock=self.clock,
            log=log,
            signals=self.signals,
            false_alarms=FalseAlarmFile(self.folder / "false-alarms.json", log),
        )
        self.analysis.restore()

    def close(self) -> None:
        self.analysis.close()
        self.notifications.close()
        for store in (self.bus, self.series, self.findings):
            store.close()

    def live(self, seconds: int, *, slow: float = 1.0, judged: bool = True) -> None:
        """Ten requests every second, judged as they come."""
        for _ in range(seconds):
            events = [event(self.clock.now(), number, slow) for number in range(10)]
            payload = msgspec.msgpack.encode([msgspec.Raw(encode_event(each)) for each in events])
            self.sequence += 1
            self.bus.append(TOPIC_EVENTS, 0, payload, len(events), producer="p", sequence=self.sequence)
            self.clock.advance(1.0)
            if judged:
                self.analysis.step()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def test_events_become_windows_and_a_healthy_verdict_that_names_its_model(machine: Machine) -> None:
    machine.live(200)
    minutes = machine.series.scan(60, START_S, START_S + 180)
    assert [window.stats.requests for window in minutes] == [600, 600, 600]
    (risk,) = machine.findings.latest_risks()
    assert risk.state == "scored"
    assert risk.score is not None
    assert risk.score < 0.5
    assert risk.model_version == bundled_model().version
    assert machine.bus.last_offset(TOPIC_RISKS, 0) > 0


def test_before_it_knows_what_is_usual_it_says_learning_instead_of_a_score(machine: Machine) -> None:
    machine.live(50)
    (risk,) = machine.findings.latest_risks()
    assert (risk.state, risk.score) == ("learning", None)


def test_a_restarted_analyzer_goes_on_with_what_it_knew(machine: Machine) -> None:
    machine.live(400)
    seen = machine.findings.latest_risks()[0].minutes_seen
    machine.close()
    machine.open()
    machine.live(15)
    risk = machine.findings.latest_risks()[0]
    assert risk.state == "scored", "no second time of learning"
    assert risk.minutes_seen >= seen
    total = sum(window.stats.requests for window in machine.series.scan(60, START_S - 60, START_S + 600))
    assert total == 4_150, "every event counted exactly once"


def test_what_alerts_have_cost_is_kept_while_it_runs_and_taken_up_by_the_next_analyzer(tmp_path: Path) -> None:
    machine = Machine(tmp_path, lambda: Analyst(Models(bundled_model()), Thresholds()))
    kept = FalseAlarmFile(tmp_path / "false-alarms.json", structlog.wrap_logger(structlog.ReturnLogger()))
    machine.live(200)
    (early,) = kept.read()["o"]
    machine.live(200)
    machine.close()
    (late,) = kept.read()["o"]
    assert late.time_s > early.time_s
    machine.open()
    assert machine.analysis._analyst.false_alarms == kept.read()
    machine.close()


def test_a_verdict_that_could_not_be_stored_is_stored_later(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.live(125)
    put = machine.findings.put_risks

    def full_disk(risks: Sequence[Risk]) -> None:
        monkeypatch.setattr(machine.findings, "put_risks", put)
        raise OSError("no space left on device")

    monkeypatch.setattr(machine.findings, "put_risks", full_disk)
    with pytest.raises(OSError, match="no space"):
        machine.live(10)
    judged_s = machine.clock.now() // 10 * 10
    before_s = machine.findings.latest_risks()[0].time_s
    machine.analysis.step()
    after_s = machine.findings.latest_risks()[0].time_s
    assert before_s < after_s <= judged_s
