"""What an analyzer takes up again from its stores: alerts, the days before, and what stood beside the last minutes."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.app.signals.rig import SignalsRig
from tests.app.test_analysis import START_S, Machine
from tests.app.test_objectives import Told
from tests.predict.making import toy_model

from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.predict import Analyst, Models, Thresholds
from foregate.predict.analyst import Beside
from foregate.wire import TOPIC_EVENTS
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
        machine.close()
        machine.open()
        assert [second.beside[START_S + 60.0 * i]["deploys"] for i in range(3)] == [0.0, 1.0, 0.0]
    rig.signals.close()
