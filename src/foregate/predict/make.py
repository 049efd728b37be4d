"""From runs to a model file and its card: learn and choose on some runs, judge once on others."""

import hashlib
import platform
from dataclasses import dataclass

import numpy as np
import sklearn
import xgboost

from foregate.predict.evaluate.dataset import Examples, together
from foregate.predict.evaluate.report import report
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION
from foregate.predict.models.card import Card
from foregate.predict.plan import FIRST, Part, Run
from foregate.predict.train import fit, held_out, logistic, shuffled_labels_precision


@dataclass(frozen=True, slots=True)
class Made:
    """`content`: the bytes of the model file. `card` says how good it is."""

    content: bytes
    card: Card


def make(runs: dict[Run, Examples], *, seed: int, command: str) -> Made:
    """Train on the natural and dense runs, judge on the test runs. Deterministic; the order of `runs` is the plan's.

    Raises ValueError when there is nothing to learn from or to judge on.
    """
    parts = {part: together([e for run, e in runs.items() if run.part == part]) for part in FIRST}
    natural, dense, test = parts["natural"], parts["dense"], parts["test"]
    fitted = fit(natural, dense, seed=seed)
    scores = (fitted.held_out, fitted.model.probabilities(test.features.astype(np.float64)))
    others = (held_out(natural, dense, logistic)[:, 0], logistic(natural, dense, test)[:, 0])
    shuffled = shuffled_labels_precision(natural, dense, test, seed=seed)
    card = Card(
        model_version=fitted.model.version,
        sha256=hashlib.sha256(fitted.content).hexdigest(),
        bytes=len(fitted.content),
        feature_version=FEATURE_VERSION,
        features=FEATURE_NAMES,
        trees=fitted.rounds,
        horizon_s=HORIZON_S,
        seed=seed,
        seeds={part: _seeds(runs, part) for part in FIRST},
        learned_moments=len(natural.label) + len(dense.label),
        learned_failures=natural.failures + dense.failures,
        budget_threshold=fitted.model.header.budget_threshold,
        shuffled_pr_auc=shuffled[0],
        command=command,
        versions=_versions(),
        report=report(natural, test, scores, {"logistic regression": others}),
    )
    return Made(fitted.content, card)


def _seeds(runs: dict[Run, Examples], part: Part) -> tuple[int, int]:
    seeds = [run.seed for run in runs if run.part == part]
    return min(seeds), max(seeds)


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "xgboost": xgboost.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }
