"""What the console says of a model is read from its card, whatever that holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from foregate.app.models.card import card_beside, threshold_of

CARD = {"horizons": [{"horizon_s": 300, "curve": [[0.1, 0.4]]}, {"horizon_s": 900, "curve": [[0.1, 0.9], [1.0, 0.5]]}]}


def test_the_threshold_is_the_score_that_keeps_to_the_budget() -> None:
    assert threshold_of(None, 1.0, CARD) == 0.5
    assert threshold_of(None, 0.01, CARD) == 0.9
    assert threshold_of(0.7, 1.0, CARD) == 0.7


@pytest.mark.parametrize(
    "horizons", [None, "x", [{"horizon_s": 900}], [{"horizon_s": 900, "curve": [[0.0, 0.5], [1.0, 0.4]]}], []]
)
def test_a_card_of_another_shape_stops_no_console(horizons: Any) -> None:
    assert threshold_of(None, 0.5, {"horizons": horizons}) == 0.8
    assert threshold_of(None, 0.5, None) == 0.8


@pytest.mark.parametrize("content", ["", "[1]", "{", "\xff"])
def test_what_is_no_card_is_none(tmp_path: Path, content: str) -> None:
    model = str(tmp_path / "model.fgm")
    assert card_beside(model) is None
    (tmp_path / "card.json").write_text(content, encoding="latin-1")
    assert card_beside(model) is None
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    assert card_beside(model) == CARD
