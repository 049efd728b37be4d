"""Leave one source out: every score, and every threshold, comes from what was learned on other sources alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.checks.judge import BUDGETS, endpoint_days, replay, threshold_for, thresholds_of
from foregate.predict.evaluate.checks.learners import Learner
from foregate.predict.evaluate.checks.load import Floats
from foregate.predict.evaluate.checks.moments import Moments

FOLDS: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """`scores`: (n,). `thresholds`: (budgets, sources): what the other sources would choose for each budget."""

    scores: Floats
    thresholds: Floats


def untrained(moments: Moments, scores: Floats) -> HeldOut:
    """A score that learns nothing: only its thresholds come from the other sources."""
    pages = replay(moments, scores, thresholds_of(scores), 2 * max(BUDGETS))
    days = endpoint_days(moments)
    home = home_of(moments)
    thresholds = np.full((len(BUDGETS), len(moments.names)), np.inf)
    for s in range(len(moments.names)):
        others = home != s
        for b, budget in enumerate(BUDGETS):
            thresholds[b, s] = threshold_for(pages, pages.false[:, others].sum(axis=1), days[others].sum(), budget)
    return HeldOut(scores, thresholds)


def trained(moments: Moments, learner: Learner, seed: int, step: Callable[[], None]) -> HeldOut:
    """Score each source by what was learned on all others.

    The thresholds for it come from folds among the others (whole sources): a model is never asked for a threshold on
    moments it has learned. `step` is called once per source.
    """
    scores = np.zeros(len(moments.label))
    thresholds = np.full((len(BUDGETS), len(moments.names)), np.inf)
    for s in range(len(moments.names)):
        theirs = moments.source == s
        others = moments.of(~theirs)
        if others.label.any() and theirs.any():
            scores[theirs] = learner(others, seed)(moments.features[theirs])
            inner = crossed(others, learner, seed, _folds(others))
            pages = replay(others, inner, thresholds_of(inner), max(BUDGETS))
            days = float(endpoint_days(others).sum())
            for b, budget in enumerate(BUDGETS):
                thresholds[b, s] = threshold_for(pages, pages.false.sum(axis=1), days, budget)
        step()
    return HeldOut(scores, thresholds)


def crossed(moments: Moments, learner: Learner, seed: int, folds: NDArray[np.int64]) -> Floats:
    """Each source scored by what was learned on the other folds' sources. `folds`: shape (sources,)."""
    fold = folds[moments.source]
    scores = np.zeros(len(moments.label))
    for f in np.unique(fold):
        kept = moments.of(fold != f)
        if kept.label.any():
            scores[fold == f] = learner(kept, seed)(moments.features[fold == f])
    return scores


def _folds(moments: Moments) -> NDArray[np.int64]:
    """A fold for each source: the one with most failures first, always to the fold with fewest so far."""
    positives = np.bincount(moments.source, weights=moments.label, minlength=len(moments.names))
    folds = np.zeros(len(moments.names), dtype=np.int64)
    held = np.zeros(FOLDS)
    for s in np.argsort(-positives, kind="stable"):
        folds[s] = int(np.argmin(held))
        held[folds[s]] += positives[s] + 1e-3
    return folds


def home_of(moments: Moments) -> NDArray[np.int64]:
    """The source of each endpoint, −1 for one without a judged moment."""
    home = np.full(moments.endpoints, -1, dtype=np.int64)
    home[moments.endpoint] = moments.source
    return home
