"""Objectives in the analyzer on real stores: budgets, alerts to people, and the same after a restart."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import structlog
from tests.app.test_analysis import START_S, event

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app import objectives
from foregate.app.analysis import Analysis
from foregate.app.notify import Notifications
from foregate.app.objectives import ObjectiveWatch
from foregate.kernel.clock import ManualClock
from foregate.predict import Analyst, Models, Thresholds
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.windows import Windower
from foregate.wire import TOPIC_EVENTS
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity
from foregate.wire.event import encode_event
from foregate.wire.objective import Objective, ObjectiveSet, ObjectiveState
from foregate.wire.window import StoredWindow, WindowStats

PAY = Entity("o", "pay", "/pay", "test")


class Told:
    """Keeps `ports.notifier.Notifier`."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def notify(self, alert: Alert) -> None:
        self.alerts.append(alert)


class Machine:
    """One data directory, one clock, and the analyzer of the moment."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START_S)
        self.folder = folder
        self.told = Told()
        self.sequence = 0
        self.open()

    def open(self) -> None:
        self.bus = EmbeddedBus(self.folder / "bus", self.clock)
        self.series = EmbeddedSeries(self.folder / "series")
        self.findings = EmbeddedFindings(self.folder / "findings")
        log = structlog.wrap_logger(structlog.ReturnLogger())
        settings = ObjectiveSet(None, {"/pay": Objective(availability=0.99, errors_min=5, requests_min=20)})
        self.notifications = Notifications(self.told, log)
        self.analysis = Analysis(
            bus=self.bus,
            series=self.series,
            findings=self.findings,
            consumer=Consumer(self.bus, self.series, self.series, Windower(), self.clock),
            analyst=Analyst(Models(None), Thresholds(0.8)),
            notifications=self.notifications,
            clock=self.clock,
            log=log,
            objectives=ObjectiveWatch(settings, self.series, self.findings, log),
        )
        self.analysis.restore()

    def close(self) -> None:
        self.notifications.close()
        for store in (self.bus, self.series, self.findings):
            store.close()

    def run(self, minutes: int, failing: int) -> None:
        """20 requests in each of so many minutes, `failing` of them with a 503."""
        self.clock.advance(-self.clock.now() % 60)
        for _ in range(minutes):
            now_s = self.clock.now()
            events = [event(now_s + 2.9 * i, i) for i in range(20)]
            events = [msgspec.structs.replace(e, status=503) if i < failing else e for i, e in enumerate(events)]
            payload = b"\xdd" + len(events).to_bytes(4, "big") + b"".join(map(encode_event, events))
            self.bus.append(TOPIC_EVENTS, 0, payload, len(events), producer="p", sequence=self.sequence)
            self.sequence += 1
            for _ in range(6):
                self.clock.advance(10)
                self.step()

    def step(self) -> None:
        self.analysis.step()
        while not self.analysis.caught_up:
            self.analysis.step()

    def state(self) -> ObjectiveState:
        self.clock.advance(20)
        self.step()
        (state,) = self.findings.objectives()
        return state


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


def test_a_budget_that_burns_tells_people_once_and_is_the_same_after_a_restart(machine: Machine) -> None:
    machine.run(10, 0)
    assert machine.findings.alerts(state=None, limit=9, before=None) == []
    machine.run(6, 15)
    before = machine.state()
    (alert,) = machine.findings.alerts(state="open", limit=9, before=None)
    assert (alert.kind, alert.severity, alert.entity, alert.outcome) == ("burn_rate", "page", PAY, "measured")
    (budget,) = before.budgets
    assert (budget.requests, budget.bad) == (320, 90)
    machine.close()
    machine.open()
    machine.run(1, 15)
    after = machine.state()
    assert (after.budgets[0].requests, after.budgets[0].bad) == (340, 105)
    raised = [each for each in machine.told.alerts if each.raised_s == each.updated_s]
    assert [each.id for each in raised] == [alert.id]
    machine.clock.advance(3 * 3_600)
    machine.run(8, 0)
    # The page is over; that the budget of days was spent within six hours is still worth a ticket.
    found = {each.severity: each.state for each in machine.findings.alerts(state=None, limit=9, before=None)}
    assert found == {"page": "closed", "ticket": "open"}


def watch_of(machine: Machine, windows: list[StoredWindow], objective: Objective) -> ObjectiveState:
    """What a restarted analyzer knows of these windows, at `START_S`."""
    machine.series.append(windows, {}, {})
    log = structlog.wrap_logger(structlog.ReturnLogger())
    watch = ObjectiveWatch(ObjectiveSet(objective), machine.series, machine.findings, log)
    until_s = START_S // 60 * 60
    watch.restore(until_s)
    watch.judge(until_s + 10)
    (state,) = watch.state()
    return state


def window(span_s: int, start_s: float, requests: int) -> StoredWindow:
    return StoredWindow(PAY, WindowStats(start_s, span_s, requests, 0), b"", b"")


def test_after_a_start_the_last_hours_are_whole_though_a_scan_has_a_bound(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objectives, "SCAN_ROWS_MAX", 60)
    last_s = START_S // 60 * 60
    minutes = [window(60, last_s - 60.0 * back, 10) for back in range(1, 301)]
    assert watch_of(machine, minutes, Objective(availability=0.99)).budgets[0].requests == 3_000


def test_after_a_start_the_rules_see_three_days_of_an_objective_of_one(machine: Machine) -> None:
    today_s = START_S // 86_400 * 86_400
    hours = [window(900, today_s - 3_600.0 * back, 10) for back in range(1, 49)]
    (budget,) = watch_of(machine, hours, Objective(availability=0.99, period_days=1)).budgets
    assert (budget.requests, max(budget.burn, key=lambda burn: burn.window_s).requests) == (0, 480)


def test_quarters_that_are_not_rolled_up_yet_are_counted_once(machine: Machine) -> None:
    last_s = START_S // 3_600 * 3_600 - 21_600
    quarters = [window(900, last_s - 900.0 * back, 10) for back in range(1, 4 * 72)]
    assert watch_of(machine, quarters, Objective(availability=0.99)).budgets[0].requests == 10 * len(quarters)
