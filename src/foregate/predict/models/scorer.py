"""A model as a score of recorded systems, to stand beside the baselines."""

from collections import OrderedDict
from typing import Final

import numpy as np

from foregate.predict.evaluate.system import Scorer, System
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES
from foregate.predict.models.model import Floats, Model
from foregate.predict.moments import Recorded
from foregate.predict.usual import REFERENCE_MINUTES_MIN

REMEMBERED_MAX: Final = 256  # systems whose answers are kept, some 1.5 MB each: one is asked for every horizon
_KNOWN: Final = FEATURE_NAMES.index("known_minutes")


def model_scorer(model: Model, horizon_s: int = HORIZON_S) -> Scorer:
    """The model's probability at the end of every recorded minute, NaN while an entity is being learned as live.

    Raises ValueError for a horizon it does not know.
    """
    return model_scorers(model, (horizon_s,))[horizon_s]


def model_scorers(model: Model, horizons_s: tuple[int, ...]) -> dict[int, Scorer]:
    """The same for several horizons, which share the work."""
    known = [h.horizon_s for h in model.header.horizons]
    answers = _Answers(model)
    return {horizon_s: answers.of(known.index(horizon_s)) for horizon_s in horizons_s}


class _Answers:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: OrderedDict[int, tuple[System, Floats]] = OrderedDict()

    def of(self, number: int) -> Scorer:
        return lambda system: self._all(system)[..., number]

    def _all(self, system: System) -> Floats:
        """(E, N, horizons)"""
        found = self._known.get(id(system))
        if found is None:
            found = self._known[id(system)] = (system, _probabilities(self._model, system))
            if len(self._known) > REMEMBERED_MAX:
                self._known.popitem(last=False)
        return found[1]


def _probabilities(model: Model, system: System) -> Floats:
    recorded = ~np.isnan(system.of("requests"))
    probability = np.full((*recorded.shape, len(model.header.horizons)), np.nan)
    for minutes, rows in Recorded(system).blocks():
        said = recorded[:, minutes] & (rows[..., _KNOWN] >= REFERENCE_MINUTES_MIN)
        if said.any():
            probability[:, minutes][said] = model.probabilities(rows[said])
    return probability
