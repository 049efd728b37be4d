"""What learning from own traffic is done with: the predictor, and the simple scores that it has to beat."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np

from foregate.predict.evaluate.baselines import SIMPLE
from foregate.predict.evaluate.exam import MINUTES_PER_DAY, exam_of
from foregate.predict.evaluate.system import Scorer, System
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES
from foregate.predict.models.model import Model, decode_model
from foregate.predict.models.scorer import model_scorer
from foregate.predict.moments import Recorded
from foregate.predict.registry.learn import Fitted
from foregate.predict.registry.shift import Reference, reference_of
from foregate.predict.train import fit

REFERENCE_ROWS_MAX: Final = 50_000  # moments; of more, evenly chosen minutes


class ModelTools:
    """`predict.registry.learn.Tools` with the predictor that is bundled, too."""

    def fit(self, train: Sequence[System], validation: Sequence[System], *, seed: int) -> Fitted:
        """Raises ValueError where there is nothing to learn."""
        return fit(train, validation, seed=seed)

    def scorer(self, content: bytes) -> Scorer:
        """Raises ModelError."""
        return model_scorer(_model(content), HORIZON_S)

    def version(self, content: bytes) -> str:
        return _model(content).version

    def reference(self, content: bytes, natural: Sequence[System]) -> Reference:
        """Of the healthy moments of these systems, as frequent as they are."""
        exam = exam_of(natural, HORIZON_S)
        step = odd_step(len(exam.label))
        parts, labels, at = [], [], 0
        for system, chosen in zip(natural, exam.chosen, strict=True):
            minutes = np.arange(0, chosen.shape[1], step)
            healthy = chosen[:, minutes]
            parts.append(Recorded(system).rows(minutes)[healthy])
            label = np.zeros(chosen.shape, dtype=bool)
            label[chosen] = exam.label[at : at + int(chosen.sum())]
            labels.append(label[:, minutes][healthy])
            at += int(chosen.sum())
        weights = _model(content).weights()
        return reference_of(np.concatenate(parts), np.concatenate(labels).astype(np.float64), FEATURE_NAMES, weights)

    def baselines(self) -> Mapping[str, Scorer]:
        return SIMPLE


def odd_step(moments: int) -> int:
    """Every how many minutes one is taken: none in step with the hour or the day, whose turns are not like the rest."""
    step = max(1, -(-moments // REFERENCE_ROWS_MAX))
    while gcd(step, MINUTES_PER_DAY) > 1:
        step += 1
    return step


@lru_cache(maxsize=2)
def _model(content: bytes) -> Model:
    return decode_model(content)
