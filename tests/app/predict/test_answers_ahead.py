"""A model that was asked ahead says what it would have said, and is not asked again by the judge."""

from dataclasses import replace

import numpy as np
import pytest
from tests.predict.evaluate.making import noisy
from tests.predict.making import toy_content

from foregate.app.evaluation import answers_ahead, contenders_of, dealt_out, lab_contenders
from foregate.predict.models import scorer
from foregate.predict.models.model import HORIZONS_S, decode_model
from foregate.predict.models.scorer import model_scorer

SYSTEMS = [noisy("a", 1, entities=3, minutes=1_500), noisy("b", 2, entities=2, minutes=200)]


def test_answers_that_were_asked_for_ahead_are_the_models_own(monkeypatch: pytest.MonkeyPatch) -> None:
    content = toy_content()
    model = decode_model(content)
    own = {h: [model_scorer(model, h)(system) for system in SYSTEMS] for h in HORIZONS_S}
    answers = answers_ahead(content, SYSTEMS, jobs=1, step=lambda done, total: None)
    judged = [replace(system, faults=()) for system in SYSTEMS]  # as the judge shows them
    with monkeypatch.context() as context:
        context.setattr(scorer, "probabilities", None)  # nobody computes anything again
        for contender in contenders_of(model, HORIZONS_S, answers):
            assert contender.horizon_s is not None
            for system, said in zip(judged, own[contender.horizon_s], strict=True):
                np.testing.assert_array_equal(contender.scorer(system), said)
    cut = replace(SYSTEMS[1], minutes=SYSTEMS[1].minutes[:, :, :150])
    assert answers.of(cut).shape[1] == 150
    moved = replace(SYSTEMS[1], start_s=SYSTEMS[1].start_s + 60 * 7)  # another quarter of an hour, another season
    np.testing.assert_array_equal(answers.of(moved), scorer.probabilities(model, moved))


def test_the_judge_of_the_lab_finds_every_world_answered_and_nothing_is_asked_of_what_was_learned_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = {"train": [noisy("t", 3, entities=1, minutes=100)], "validation": SYSTEMS[:1], "seldom": SYSTEMS[1:]}
    steps: list[tuple[int, int]] = []
    contenders = lab_contenders(
        toy_content(), parts, (300, 3_600), jobs=1, step=lambda done, total: steps.append((done, total))
    )
    assert steps[-1] == (2, 2)
    assert [each.horizon_s for each in contenders] == [300, 3_600]
    monkeypatch.setattr(scorer, "probabilities", None)
    for contender in contenders:
        for system in SYSTEMS:
            assert contender.scorer(replace(system, faults=())).shape == system.of("requests").shape


def test_work_is_dealt_out_to_processes_in_the_order_of_the_items() -> None:
    told: list[tuple[int, int]] = []
    found = dealt_out(abs, [-3, -1, -2], 2, lambda done, total: told.append((done, total)))
    assert list(found) == [3, 1, 2]
    assert told == [(1, 3), (2, 3), (3, 3)]
