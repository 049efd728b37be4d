"""Who is judged: the simple scores, the learned ones, and whatever is put beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from foregate.predict.evaluate.baselines import LEARNED, SIMPLE, Fit
from foregate.predict.evaluate.exam import Floats
from foregate.predict.evaluate.system import Scorer, System

FOLDS_MAX: Final = 5
HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Contender:
    """A scorer with a name. `probability`: its scores are calibrated; `horizon_s`: None when it serves every horizon.

    What is not a `baseline` is what the evaluation is about. `own_budget`: its thresholds follow the false alarms of
    the system that is judged, as those of alerts do live; else they are what others were measured to need.
    """

    name: str
    scorer: Scorer
    baseline: bool = True
    probability: bool = False
    horizon_s: int | None = None
    own_budget: bool = False


def simple_contenders() -> list[Contender]:
    """The baselines that need no learning."""
    return [Contender(name, scorer) for name, scorer in SIMPLE.items()]


def learned_contenders(train: Sequence[System], horizon_s: int, seed: int) -> list[Contender]:
    """The learned baselines, fitted on systems that are not judged. Raises ValueError when nothing failed in them."""
    return _learned(lambda fit: fit(train, horizon_s, np.random.default_rng(seed)), horizon_s)


def folded_contenders(systems: Sequence[System], horizon_s: int, seed: int) -> list[Contender]:
    """The learned baselines, fitted in folds: every system is scored by what has learned from others alone.

    A single system is learned from in its first half; judge its second. Raises ValueError when too little failed.
    """
    if len(systems) == 1:
        return learned_contenders([first_half(systems[0])], horizon_s, seed)
    folds = min(FOLDS_MAX, len(systems))

    def fitted(fit: Fit) -> Scorer:
        by_fold = [
            fit([s for i, s in enumerate(systems) if i % folds != fold], horizon_s, np.random.default_rng(seed))
            for fold in range(folds)
        ]
        scorers = {system.name: by_fold[i % folds] for i, system in enumerate(systems)}

        def score(system: System) -> Floats:
            return scorers[system.name](system)

        return score

    return _learned(fitted, horizon_s)


def first_half(system: System) -> System:
    """The system as it was in the middle of its recording."""
    return replace(system, minutes=system.minutes[:, :, : int(HALF * system.minutes.shape[2])])


def _learned(fitted: Callable[[Fit], Scorer], horizon_s: int) -> list[Contender]:
    return [Contender(name, fitted(fit), probability=True, horizon_s=horizon_s) for name, fit in LEARNED.items()]
