"""The bundled predictor's own training, through the rules of learning from own traffic, down to a model that judges."""

import numpy as np
from tests.predict.registry.making import START_S, blind, system

from foregate.app.training.tools import REFERENCE_ROWS_MAX, ModelTools, odd_step
from foregate.predict.features import FEATURE_NAMES
from foregate.predict.models.model import decode_model
from foregate.predict.registry.amount import Amount
from foregate.predict.registry.learn import Ask, Learned, learn
from foregate.predict.registry.shift import ShiftWatch, decode_reference


def test_a_trained_model_foresees_later_failures_that_announce_themselves_and_its_reference_fits() -> None:
    traffic, tools = system(6, 1.5, seed=2, failures_a_day=8.0), ModelTools()
    ask = Ask(("blind", blind), 2.0, 0, START_S, "foregate predict learn")
    found = learn(traffic, tools, ask, Amount(1.0, 10, 2))
    assert isinstance(found, Learned), found
    mine = found.card.figures["challenger"]
    assert mine.recall > 0.5
    assert next(gain for gain in found.card.gains if "blind" in gain.other).better
    model = decode_model(found.files["model.fgm"])
    assert model.version == found.entry.version
    reference = decode_reference(found.files["reference.json"])
    assert reference.features == FEATURE_NAMES
    assert 0 < reference.base_rate < 0.3
    assert abs(sum(reference.weights) - 1) < 1e-9
    assert np.isfinite(list(ShiftWatch(reference).stability().values())).all()


def test_what_a_model_learned_from_is_looked_at_at_every_time_of_the_day() -> None:
    for moments in (0, 50_000, 100_000, 3_000_000, 72_000_000):
        step = odd_step(moments)
        assert len({minute * step % 1_440 for minute in range(1_440)}) == 1_440
        assert moments / REFERENCE_ROWS_MAX <= step <= max(7.0, 1.2 * moments / REFERENCE_ROWS_MAX)
