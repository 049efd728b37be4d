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
    answers = Answers(model)
    return {horizon_s: answers.at(horizon_s) for horizon_s in horizons_s}


class Answers:
    """What a model says of systems, of each at all horizons at once: it is remembered of the last it was asked for."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: OrderedDict[int, tuple[System, Floats]] = OrderedDict()

    def at(self, horizon_s: int) -> Scorer:
        """Raises ValueError for a horizon it does not know."""
        number = [h.horizon_s for h in self._model.header.horizons].index(horizon_s)
        return lambda system: self.of(system)[..., number]

    def of(self, system: System) -> Floats:
        """(E, N, horizons)"""
        found = self._known.get(id(system.minutes))
        if found is not None and _same(found[0], system):
            return found[1]
        return self.remember(system, probabilities(self._model, system))

    def remember(self, system: System, said: Floats) -> Floats:
        """Take over what the same model said of this system elsewhere."""
        self._known[id(system.minutes)] = (system, said)
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return said


def _same(one: System, other: System) -> bool:
    """To the model, which knows nothing of names and faults."""
    same = one.minutes is other.minutes and one.entities is other.entities and one.calls is other.calls
    return same and one.start_s == other.start_s


def probabilities(model: Model, system: System) -> Floats:
    """(E, N, horizons): as `model_scorer`, nothing remembered."""
    recorded = ~np.isnan(system.of("requests"))
    probability = np.full((*recorded.shape, len(model.header.horizons)), np.nan)
    for minutes, rows in Recorded(system).blocks():
        said = recorded[:, minutes] & (rows[..., _KNOWN] >= REFERENCE_MINUTES_MIN)
        if said.any():
            probability[:, minutes][said] = model.probabilities(rows[said])
    return probability
