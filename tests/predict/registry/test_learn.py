"""A challenger learns from the earlier traffic, is judged on the later, and its card says what came of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from tests.predict.registry.making import START_S, blind, knowing, system

from foregate.predict.evaluate.system import COLUMN, Scorer, System
from foregate.predict.registry.amount import Amount
from foregate.predict.registry.card import decode_own_card
from foregate.predict.registry.learn import Ask, Lacking, Learned, learn
from foregate.predict.registry.parts import PURGE_MINUTES, cut, parts_of, picked
from foregate.predict.registry.shift import Reference, decode_reference, reference_of

NEEDS = Amount(3.0, 10, 2)
SCORERS = {b"knowing": knowing, b"blind": blind}


@dataclass
class Content:
    content: bytes


@dataclass
class Tools:
    """Learns by looking which of two scores tells the failures of its part best, as a stand-in for trees."""

    model: bytes = b"knowing"
    given: list[System] = field(default_factory=list)

    def fit(self, train: Sequence[System], validation: Sequence[System], *, seed: int) -> Content:
        self.given = [*train, *validation]
        return Content(self.model)

    def scorer(self, content: bytes) -> Scorer:
        return SCORERS[content]

    def version(self, content: bytes) -> str:
        return f"test-{content.decode()}"

    def reference(self, content: bytes, natural: Sequence[System]) -> Reference:
        rows = natural[0].of("p95_ms").reshape(-1, 1)
        return reference_of(rows, np.zeros(len(rows)), ("p95",), {"p95": 1.0})

    def baselines(self) -> Mapping[str, Scorer]:
        return {"persistence": lambda of: blind(of, 5)}


def ask(champion: tuple[str, Scorer] | None = ("bundled", blind)) -> Ask:
    return Ask(champion, 0.5, 0, START_S + 9e5, "foregate predict learn")


@pytest.fixture(scope="module")
def learned() -> Learned:
    found = learn(system(12, 4.0, seed=1, warned=0.8), Tools(), ask(), NEEDS)
    assert isinstance(found, Learned)
    return found


def test_a_better_challenger_may_serve_and_its_files_belong_together(learned: Learned) -> None:
    assert learned.entry.better, learned.entry.reason
    card = decode_own_card(learned.files["card.json"])
    assert card == learned.card
    assert card.model_version == learned.entry.version == "test-knowing"
    assert (card.sha256, card.bytes) == (learned.entry.sha256, len(learned.files["model.fgm"]))
    assert set(card.figures) == {"challenger", "the model that serves (bundled)", "persistence"}
    assert decode_reference(learned.files["reference.json"]).features == ("p95",)


def test_the_card_says_how_failures_announced_themselves_and_which_of_them_it_foresees(learned: Learned) -> None:
    kinds = learned.card.signatures
    failures, foreseen = kinds["latency grew first"]
    assert failures > 5
    assert foreseen / failures > 0.8
    mute, lucky = kinds["without warning"]
    assert lucky < mute
    text = learned.files["card.md"].decode()
    assert "Foreseeable for this model (half or more, of at least 3): latency grew first." in text
    assert f"| latency grew first | {failures} | {foreseen} |" in text
    assert "failures came without warning" in text
    assert "On APIs it never learnt from: PR-AUC 0." in text


def test_who_knows_nothing_is_kept_with_the_reason_and_may_not_serve() -> None:
    found = learn(system(12, 4.0, seed=1), Tools(b"blind"), ask(("v1", knowing)), NEEDS)
    assert isinstance(found, Learned)
    assert not found.entry.better
    assert "not surely better than the model that serves (v1)" in found.entry.reason
    assert f"**Refused**: {found.entry.reason}" in found.files["card.md"].decode()


def test_where_the_champion_cannot_be_used_the_baselines_alone_have_to_be_beaten() -> None:
    found = learn(system(12, 4.0, seed=1), Tools(), ask(None), NEEDS)
    assert isinstance(found, Learned)
    assert found.entry.better
    assert set(found.card.figures) == {"challenger", "persistence"}


def test_no_minute_that_is_judged_is_learnt_nor_one_whose_outcome_lies_there() -> None:
    traffic, tools = system(12, 4.0, seed=1), Tools()
    learn(traffic, tools, ask(), NEEDS)
    train, validation = tools.given
    minutes = traffic.minutes.shape[2]
    train_until_s = train.start_s + 60 * train.minutes.shape[2]
    assert validation.start_s - train_until_s == 60 * PURGE_MINUTES
    assert validation.start_s + 60 * validation.minutes.shape[2] <= traffic.start_s + 60 * 0.7 * minutes
    parts = parts_of(traffic)
    assert [traffic.entities[i] for i in parts.unseen] == [traffic.entities[4], traffic.entities[9]]
    assert not {traffic.entities[i] for i in parts.unseen} & set(train.entities)
    assert parts_of(system(9, 0.5)).unseen == ()


def test_what_comes_later_changes_nothing_of_what_is_learnt() -> None:
    traffic = system(12, 4.0, seed=1)
    other = replace(traffic, minutes=traffic.minutes.copy())
    other.minutes[:, COLUMN["errors"], int(0.7 * other.minutes.shape[2]) :] = 199.0
    for mine, theirs in zip(parts_of(traffic)[:2], parts_of(other)[:2], strict=True):
        assert np.array_equal(mine.minutes, theirs.minutes, equal_nan=True)


@pytest.mark.parametrize(
    ("traffic", "sentence"),
    [
        (system(3, 1.0, seed=1), "learning: 1 of 3 days, 5 of 10 failures"),
        (picked(system(12, 4.0, seed=1), [0]), "learning: 5 of 10 failures, 1 of 2 APIs"),
        (picked(system(1, 0.1), []), "learning: 0 of 3 days, 0 of 10 failures, 0 of 2 APIs"),
    ],
)
def test_too_little_to_learn_from_is_said_and_nothing_is_trained(traffic: System, sentence: str) -> None:
    tools = Tools()
    found = learn(traffic, tools, ask(), NEEDS)
    assert isinstance(found, Lacking)
    assert found.sentence == sentence
    assert not tools.given


def test_failures_of_the_past_alone_are_not_enough_to_judge_by() -> None:
    traffic = system(12, 4.0, seed=1)
    calm = cut(traffic, 0, traffic.minutes.shape[2])
    calm.minutes[:, COLUMN["errors"], int(0.65 * traffic.minutes.shape[2]) :] = 0.0
    found = learn(calm, Tools(), ask(), NEEDS)
    assert isinstance(found, Lacking)
    assert found.sentence == "learning: 0 of 3 failures in the latest 30%"


def test_a_fit_that_finds_nothing_to_learn_is_said() -> None:
    class Fails(Tools):
        def fit(self, train: Sequence[System], validation: Sequence[System], *, seed: int) -> Content:
            raise ValueError("the systems hold no failure to learn from")

    found = learn(system(12, 4.0, seed=1), Fails(), ask(), NEEDS)
    assert isinstance(found, Lacking)
    assert found.sentence == "learning: the systems hold no failure to learn from"


def test_the_card_is_readable_by_machines(learned: Learned) -> None:
    assert json.loads(learned.files["card.json"])["figures"]["challenger"]["pr_auc"] > 0.3
