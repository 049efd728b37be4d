"""A training from stored windows to the model that serves: promoted, refused, resting, and lacking."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog
from tests.predict.registry.making import START_S, knowing, system
from tests.predict.registry.test_learn import Tools

from foregate.adapters.embedded.minutes import EmbeddedMinutes, MinuteRows
from foregate.adapters.embedded.models import EmbeddedModels
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.models.desk import ModelDesk
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime, write_runtime
from foregate.app.training.collect import Collector
from foregate.app.training.learner import Learner
from foregate.app.training.open import open_learner
from foregate.kernel.clock import ManualClock
from foregate.predict.evaluate.system import Scorer
from foregate.predict.models.model import ModelError
from foregate.predict.registry.amount import Amount
from foregate.telemetry.retention import Retention
from foregate.wire.models import BUNDLED

DAY = int(START_S // 86_400)
DAYS = 3
NEEDS = Amount(3.0, 10, 2)


class Office:
    """Everything a training works with, on disk; `DAYS` days of minutes are kept already."""

    def __init__(self, folder: Path, model: bytes = b"knowing") -> None:
        self.clock = ManualClock(START_S + DAYS * 86_400.0 + 4_000)
        self.series = EmbeddedSeries(folder / "series.sqlite")
        self.registry = EmbeddedModels(folder / "models")
        self.desk = ModelDesk(self.registry, self.clock)
        self.minutes = EmbeddedMinutes(folder / "minutes")
        self.tools = Tools(model)
        self.collector = Collector(self.series, self.minutes, Retention())

    def keep(self, seed: int = 1) -> None:
        traffic = system(12, float(DAYS), seed=seed, warned=0.8)
        rows = traffic.minutes.transpose(0, 2, 1)
        for day in range(DAYS):
            part = rows[:, day * 1_440 : (day + 1) * 1_440].reshape(-1, rows.shape[2])
            entity, minute = np.repeat(np.arange(12), 1_440), np.tile(np.arange(1_440), 12)
            time_s = int(START_S) + 86_400 * day + 60 * minute
            self.minutes.put("shop", DAY + day, MinuteRows(traffic.entities, entity, time_s, part))

    def learner(self, needs: Amount = NEEDS, budget: float = 0.5) -> Learner:
        bundled = lambda: b"blind"  # noqa: E731
        log, of = structlog.get_logger(), lambda org: budget
        return Learner(self.registry, self.collector, self.tools, bundled, self.clock, log, needs=needs, budget=of)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.series.close()


def test_what_is_better_serves_and_does_not_return_by_itself_once_it_was_rolled_back(office: Office) -> None:
    office.keep()
    learning, card = office.learner().learn("shop")
    assert learning.outcome == "promoted", learning.sentence
    assert (office.registry.serving("shop").version, learning.version) == ("test-knowing", "test-knowing")
    assert card.startswith("# Model test-knowing of shop")
    assert (learning.apis, round(learning.days)) == (12, DAYS)
    assert office.registry.learning("shop") == learning
    assert office.desk.roll_back("shop", None, "cli").version == BUNDLED
    again, _ = office.learner().learn("shop")
    assert (again.outcome, again.sentence) == ("refused", "it was rolled back: it is not promoted again")
    assert office.registry.serving("shop").version == BUNDLED
    assert len(office.registry.entries("shop")) == 1


def test_a_refused_challenger_is_kept_with_its_card_and_reason(office: Office) -> None:
    office.keep()
    office.tools.model = b"blind"
    learning, _ = office.learner().learn("shop")
    assert learning.outcome == "refused"
    (entry,) = office.registry.entries("shop")
    assert (entry.better, entry.reason) == (False, learning.sentence)
    assert b"**Refused**" in office.registry.read("shop", entry.version, "card.md")
    assert office.registry.serving("shop").version == BUNDLED


def test_with_too_little_the_card_is_empty_and_everybody_sees_how_far_it_is(office: Office) -> None:
    office.keep()
    learning, card = office.learner(Amount(14.0, 100, 3)).learn("shop")
    assert (learning.outcome, card) == ("learning", "")
    assert learning.sentence.startswith("learning: 3 of 14 days, ")
    (found,) = office.desk.all()
    assert found.learning == learning


def test_a_champion_that_cannot_be_used_is_judged_by_nobody(office: Office) -> None:
    office.keep()

    def scorer(content: bytes) -> Scorer:
        if content != b"knowing":
            raise ModelError("model.fgm was trained on feature version 9")
        return knowing

    office.tools.scorer = scorer  # type: ignore[method-assign]
    learning, card = office.learner().learn("shop")
    assert learning.outcome == "promoted"
    assert "the model that serves" not in card


def test_a_damaged_day_is_the_answer_of_its_organisation_alone(office: Office) -> None:
    office.keep()
    (day,) = office.minutes._of("shop").glob(f"{DAY}.parquet")
    day.write_bytes(day.read_bytes()[:100])
    learning, card = office.learner().learn("shop")
    assert (learning.outcome, card) == ("failed", "")
    assert f"{DAY}.parquet is damaged" in learning.sentence
    assert office.registry.learning("shop") == learning
    assert office.learner().learn("other")[0].outcome == "learning"


def test_a_model_is_judged_at_the_budget_of_its_organisation(office: Office, tmp_path: Path) -> None:
    office.keep()
    _, card = office.learner(budget=2.0).learn("shop")
    assert "At thresholds chosen before for 2 false alarms per API and day" in card
    data = DataDir(tmp_path / "data")
    data.create()
    runtime = Runtime("127.0.0.1", 0, "", 1, None, false_alarms_per_day=1.0, false_alarms={"shop": 2.0})
    write_runtime(data, runtime)
    try:
        with open_learner(data, to_file=False) as learner:
            assert (learner.budget("shop"), learner.budget("other")) == (2.0, 1.0)
    finally:
        structlog.reset_defaults()
