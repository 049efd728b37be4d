"""What an analyzer takes up again from its stores: alerts, the days before, and what stood beside the last minutes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.app.signals.rig import SignalsRig
from tests.app.test_analysis import START_S, Machine
from tests.app.test_objectives import Told
from tests.predict.making import toy_model

from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.analysis import SEASON_QUARTERS_MAX
from foregate.predict import Analyst, Models, Thresholds
from foregate.predict.alerts import Kept
from foregate.predict.analyst import NO_COUNTS, Beside
from foregate.predict.features.around import Call
from foregate.wire import TOPIC_EVENTS
from foregate.wire.alert import Alert
from foregate.wire.anomaly import Anomaly
from foregate.wire.change import Change
from foregate.wire.entity import Entity
from foregate.wire.objective import Budget, Objective, ObjectiveState
from foregate.wire.window import StoredWindow, WindowStats

PAY = Entity("o", "pay", "/pay", "test")
BUDGET = Budget("availability", 0.999, 1e4, 5, 10, 0.5)
QUARTER_S, DAY_S = 900, 86_400
NOW_S = START_S // QUARTER_S * QUARTER_S


class Watched(Analyst):
    """Keeps what it was given."""

    def __init__(self) -> None:
        super().__init__(Models(None), Thresholds(0.8))
        self.quarters: list[float] = []
        self.beside: dict[float, dict[str, float]] = {}
        self.calls: list[Collection[Call]] = []
        self.taken_up: tuple[list[Alert], list[Anomaly]] = ([], [])

    def connect(self, calls: Collection[Call]) -> None:
        self.calls.append(calls)
        super().connect(calls)

    def restore(self, alerts: Sequence[Alert], anomalies: Sequence[Anomaly], false_alarms: Kept = NO_COUNTS) -> None:
        self.taken_up = (list(alerts), list(anomalies))
        super().restore(alerts, anomalies, false_alarms)

    def learn(self, minutes: Iterable[tuple[Entity, WindowStats]], beside: Beside | None = None) -> None:
        minutes = list(minutes)
        for entity, minute in minutes:
            self.beside[minute.start_s] = dict((beside or {}).get(entity, {}))
        super().learn(minutes, beside)

    def learn_quarters(self, start_s: float, windows: Iterable[tuple[Entity, WindowStats]]) -> None:
        windows = list(windows)
        if windows:
            self.quarters.append(start_s)
        super().learn_quarters(start_s, windows)


@contextmanager
def running(machine: Machine) -> Iterator[Machine]:
    try:
        yield machine
    finally:
        machine.close()


def store(folder: Path, starts_s: Iterable[float]) -> None:
    """Quarters of an hour of an earlier life, one request a second."""
    series = EmbeddedSeries(folder / "series")
    stats = [WindowStats(float(s), QUARTER_S, 900, mean_ms=40.0, p95_ms=80.0) for s in starts_s]
    series.append([StoredWindow(PAY, one, b"", b"") for one in stats], {(TOPIC_EVENTS, 0): 0}, {})
    series.close()


def test_a_restart_pages_nobody_twice_and_goes_on_with_the_open_alert(tmp_path: Path) -> None:
    told = Told()
    with running(Machine(tmp_path, lambda: Analyst(Models(toy_model()), Thresholds(0.8)), told)) as machine:
        machine.live(130)
        assert machine.findings.alerts(state=None, limit=9, before=None) == []
        machine.live(30, slow=5.0)
        (alert,) = machine.findings.alerts(state="open", limit=9, before=None)
        machine.close()
        machine.open()
        machine.live(30, slow=5.0)
        (same,) = machine.findings.alerts(state=None, limit=9, before=None)
        assert (same.id, same.raised_s, same.state, same.outcome) == (alert.id, alert.raised_s, "open", "pending")
    assert [one.id for one in told.alerts if one.raised_s == one.updated_s] == [alert.id]


def test_a_day_of_silence_hides_no_earlier_day(tmp_path: Path) -> None:
    week_ago = [NOW_S - 7 * DAY_S + step * QUARTER_S for step in range(-1, 4)]
    store(tmp_path, week_ago)
    watched = Watched()
    with running(Machine(tmp_path, lambda: watched)):
        assert watched.quarters == week_ago


def test_what_was_a_week_ago_is_read_before_it_is_that_time_again(tmp_path: Path) -> None:
    store(tmp_path, [NOW_S - 7 * DAY_S + step * QUARTER_S for step in range(2 * 96)])
    watched = Watched()
    with running(Machine(tmp_path, lambda: watched)) as machine:
        assert len(watched.quarters) < 15, "not all of it at the start"
        for _ in range(24):
            machine.clock.advance(3_600.0)
            machine.analysis.step()
            coming_s = machine.clock.now() // QUARTER_S * QUARTER_S - 7 * DAY_S + QUARTER_S
            assert watched.quarters[-1] >= coming_s
        assert watched.quarters == sorted(set(watched.quarters)), "each once"


def test_minutes_that_are_made_up_for_have_their_deployments_and_no_budget_of_today(tmp_path: Path) -> None:
    rig, analysts = SignalsRig(tmp_path / "rig"), [Watched(), Watched()]
    first, second = analysts
    with running(Machine(tmp_path, lambda: analysts.pop(0), signals=rig.signals)) as machine:
        machine.live(200, judged=False)
        rig.clock.jump_to(machine.clock.now())
        rig.states = (ObjectiveState(machine.clock.now(), PAY, Objective(availability=0.999), (BUDGET,), 30.0),)
        with closing(EmbeddedChanges(rig.data.changes)) as changes:
            changes.put([Change("one", START_S + 70.0, "deployment", "o", "test", ("pay",))])
        machine.analysis.step()
        while not machine.analysis.caught_up:
            machine.analysis.step()
        machine.clock.advance(10.0)
        machine.analysis.step()
        said = [first.beside[START_S + 60.0 * i] for i in range(3)]
        assert [minute["deploys"] for minute in said] == [0.0, 1.0, 0.0]
        assert ["budget_left" in minute for minute in said] == [False, False, True]
        assert first.calls == [rig.signals.calls()], "who asks whom, as of the newest minute"
        machine.close()
        machine.open()
        assert [second.beside[START_S + 60.0 * i]["deploys"] for i in range(3)] == [0.0, 1.0, 0.0]
    rig.signals.close()


def test_all_that_was_open_is_taken_up_again_however_old_and_however_many_came_since(tmp_path: Path) -> None:
    old = Anomaly("open", START_S - 3 * DAY_S, START_S - 9e3, None, PAY, "p95_ms", 9.0, 1.0, 9.0, "slow")
    over = [replace(old, id=f"{i}", started_s=START_S - 60.0 - i, ended_s=START_S - 30.0) for i in range(1_100)]
    watched = Watched()
    with running(Machine(tmp_path, lambda: Watched())) as machine:
        machine.findings.put_anomalies([old, *over])
        machine.findings.put_alerts(
            [alert("pending", START_S - 2_000.0, state="closed"), alert("open", START_S - 900.0)]
        )
        machine.findings.put_alerts([alert(f"burn {i}", START_S - i, kind="burn_rate") for i in range(1_100)])
        machine.findings.put_alerts([alert("over", START_S - 9e3, state="closed", outcome="no_failure")])
        machine.close()
        machine.make_analyst = lambda: watched
        machine.open()
    alerts, anomalies = watched.taken_up
    assert [one.id for one in alerts] == ["pending", "open"]
    assert [one.id for one in anomalies] == ["open"]


def alert(number: str, raised_s: float, **other: Any) -> Alert:
    made = Alert(number, raised_s, raised_s, PAY, "open", "pending", 0.9, 0.9, 0.8, 900, "v", "title", ())
    return replace(made, **other)


def test_after_the_clock_was_set_back_what_stands_beside_the_minutes_is_known_again(tmp_path: Path) -> None:
    rig, watched = SignalsRig(tmp_path / "rig"), Watched()
    with running(Machine(tmp_path, lambda: watched, signals=rig.signals)) as machine:
        for back_s in (0.0, 7_200.0):
            machine.clock.jump_to(START_S - back_s)
            rig.clock.jump_to(START_S - back_s)
            rig.states = (ObjectiveState(START_S - back_s, PAY, Objective(availability=0.999), (BUDGET,), 30.0),)
            machine.live(70, judged=False)
            for _ in range(8):
                machine.analysis.step()
                machine.clock.advance(5.0)
            assert "budget_left" in watched.beside[START_S - back_s]
        assert len(watched.calls) == 2
    rig.signals.close()


def test_after_a_long_sleep_the_days_before_are_read_in_parts(tmp_path: Path) -> None:
    store(tmp_path, [NOW_S - 7 * DAY_S + step * QUARTER_S for step in range(2 * 96)])
    watched = Watched()
    with running(Machine(tmp_path, lambda: watched)) as machine:
        begun = len(watched.quarters)
        machine.clock.advance(DAY_S)
        machine.analysis.step()
        assert 0 < len(watched.quarters) - begun <= SEASON_QUARTERS_MAX
