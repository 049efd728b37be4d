"""The analyzer's watch over whether models still fit: verdicts reach the registry, and survive a restart."""

import json
from pathlib import Path

import msgspec
import numpy as np
import structlog
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests.predict.registry.test_shift import draws, reference

from foregate.adapters.embedded.models import EmbeddedModels
from foregate.app.models.bundled import FOLDER, bundled_version
from foregate.app.models.shifts import SAY_EVERY_S, Shifts, reference_in
from foregate.kernel.clock import ManualClock
from foregate.predict.registry.shift import encode_reference
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity
from foregate.wire.models import ModelEntry, Shift

LOG = structlog.get_logger()


class Office:
    def __init__(self, folder: Path) -> None:
        self.clock, self.registry = ManualClock(), EmbeddedModels(folder)
        entry = ModelEntry("shop", "v1", 1.0, 0.0, 1.0, "", 1, better=True, reason="better")
        self.registry.add(entry, {"model.fgm": b"x", "reference.json": encode_reference(reference())})
        self.alerts: list[Alert] = []
        self.budgets: dict[str, float | None] = {"shop": 0.5}
        self.rng = np.random.default_rng(1)
        self.shifts = self.start()

    def start(self) -> Shifts:
        of = reference_in(self.registry, lambda: None)
        return Shifts(self.registry, of, lambda: self.alerts, self.clock, LOG, budget=self.budgets.get)

    def day(self, *, shifted: int = 0, org: str = "shop", version: str = "v1", hours: int = 25) -> Shift | None:
        for _ in range(hours):
            rows = draws(self.rng, 100)
            rows[:, 4 : 4 + shifted] *= 3.0
            self.shifts.observe(org, version, rows, self.clock.now())
            self.clock.advance(SAY_EVERY_S)
            self.shifts.say()
        return self.registry.shift(org)


def alert(i: int, outcome: str, version: str = "v1") -> Alert:
    pay = Entity("shop", "pay", "/pay", "production")
    at_s = ManualClock().now() + 3_600.0 * i
    return Alert(f"a{i}", at_s, at_s, pay, "closed", outcome, 0.9, 0.9, 0.8, 900, version, "", ())


def test_a_model_that_fits_is_said_to_and_a_shift_is_said_once_in_the_log(tmp_path: Path) -> None:
    office = Office(tmp_path)
    found = office.day()
    assert found is not None
    assert (found.version, found.state, found.rows) == ("v1", "fits", 2_500)
    with capture_logs() as logs:
        found = office.day(shifted=9, hours=26)
    assert found is not None
    assert found.state == "no longer fits"
    changes = [(line["state"], line["log_level"]) for line in logs if line["event"] == "model_fit_changed"]
    assert changes[-1] == ("no longer fits", "warning")
    assert len(changes) <= 2


def test_alerts_that_broke_their_promise_count_those_of_other_models_do_not(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.alerts = [alert(i, "no_failure", "v0") for i in range(20)]
    found = office.day()
    assert found is not None
    assert found.state == "fits"
    office.alerts = [alert(i, "no_failure") for i in range(20)]
    found = office.day(hours=1)
    assert found is not None
    assert found.state == "no longer fits"
    assert "0 of 20" in found.sentences[1]


def test_false_alarms_are_held_against_the_budget_of_their_organisation_and_none_where_a_score_was_set(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path)
    office.alerts = [replace(alert(i, "no_failure"), score=0.01) for i in range(20)]
    states = {}
    for budget in (0.5, 1_000.0, None):
        office.budgets["shop"] = budget
        found = office.day(hours=25)
        assert found is not None
        states[budget] = found.state
    assert states == {0.5: "no longer fits", 1_000.0: "fits", None: "fits"}


def test_after_a_restart_counting_goes_on(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.day(hours=20)
    office.shifts = office.start()
    found = office.day(hours=6)
    assert found is not None
    assert (found.state, found.rows) == ("fits", 2_600)


def test_counts_or_references_that_are_damaged_are_said_and_nothing_is_claimed(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.day(hours=5)
    (tmp_path / "shop" / "counts.json").write_text("{")
    office.shifts = office.start()
    with capture_logs() as logs:
        found = office.day(hours=1)
    assert found is not None
    assert (found.state, found.rows) == ("unknown", 100)
    assert "shift_counts_unusable" in {line["event"] for line in logs}
    (tmp_path / "shop" / "v1" / "reference.json").write_text("{")
    office.shifts = office.start()
    found = office.day(hours=1)
    assert found is not None
    assert found.sentences == ("what this model learned from is not recorded beside it",)


def test_the_bundled_model_is_watched_where_it_says_what_it_learned_from(tmp_path: Path) -> None:
    office = Office(tmp_path)
    found = office.day(org="quiet", version="f1", hours=1)
    assert found is not None
    assert found.state == "unknown"
    of = reference_in(office.registry, lambda: encode_reference(reference()), lambda: "f1")
    assert of("quiet", "f1") == reference()
    assert of("quiet", "a configured file") is None
    assert msgspec.json.encode(of("shop", "v1")) == encode_reference(reference())


def test_several_looks_at_one_minute_count_once(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for second in (0, 10, 50, 60):
        office.shifts.observe("shop", "v1", draws(office.rng, 7), 6_000.0 + second)
    office.clock.advance(SAY_EVERY_S)
    office.shifts.say()
    found = office.registry.shift("shop")
    assert found is not None
    assert found.rows == 14


def test_a_model_that_comes_again_is_not_held_against_days_that_were_not_counted(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.alerts = [alert(i, "no_failure") for i in range(9)]
    office.clock.advance(5 * 86_400.0)
    found = office.day(hours=26)
    assert found is not None
    assert found.state == "fits", found.sentences


def test_the_bundled_model_is_known_by_its_card() -> None:
    assert bundled_version() == json.loads((FOLDER / "card.json").read_text())["model_version"]
