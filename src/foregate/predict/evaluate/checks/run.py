"""Judge a file of endpoint check histories: load, score each source by the others, compare with persistence."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from foregate.predict.evaluate.checks.baselines import BASELINES
from foregate.predict.evaluate.checks.compare import MODEL, Comparison
from foregate.predict.evaluate.checks.heldout import HeldOut, crossed, trained, untrained
from foregate.predict.evaluate.checks.judge import average_precision
from foregate.predict.evaluate.checks.learners import LEARNERS, self_exciting
from foregate.predict.evaluate.checks.load import ChecksError, History, load
from foregate.predict.evaluate.checks.moments import Moments, moments
from foregate.predict.evaluate.checks.report import ChecksReport, Part
from foregate.predict.evaluate.checks.timeline import sources

HORIZONS_H: Final = (6, 24)
SOURCES_MIN: Final = 3  # with fewer there is nobody to learn from and choose thresholds on
# Model and features were chosen on these sources alone: of the published histories, in order of the SHA-256 of the
# source's name, until half of the endpoints were reached. A file without them is unseen as a whole.
DEVELOPMENT: Final = frozenset(
    {
        "bandlab/bandlab-upptime",
        "JamesTsetsekas/dynamisai-status",
        "siputzx/uptime",
        "levonk/status",
        "manticoresoftware/upptime",
        "gnosis/cow-uptime",
        "iamport/service-status",
        "adrianwedd/status",
    }
)


def evaluate(file: Path, *, seed: int, step: Callable[[int, int], None]) -> ChecksReport:
    """Judge `file`. The same file and seed give the same report. `step(done, total)` tells how far it is.

    Raises ChecksError with a sentence when the file cannot be read, or holds too little to judge.
    """
    loaded = load(file)
    parts = judged(loaded.histories, seed=seed, step=step)
    return ChecksReport(seed, loaded.rows, loaded.skipped, loaded.sentences, MODEL, parts)


def judged(histories: Sequence[History], *, seed: int, step: Callable[[int, int], None]) -> tuple[Part, ...]:
    """All sources at each horizon; where some had a part in development, also the others alone. Raises ChecksError."""
    made = sources(histories)
    progress = _Progress(step, len(HORIZONS_H) * len(LEARNERS) * len(made))
    parts = []
    for horizon_h in HORIZONS_H:
        found = moments(made, horizon_h)
        _enough(found)
        held = _held(found, seed, progress)
        shuffled = _shuffled(found, seed)
        everywhere = np.ones(len(found.names), dtype=np.bool_)
        unseen = np.array([name not in DEVELOPMENT for name in found.names])
        parts.append(Comparison(found, held, everywhere, seed).part("All sources", shuffled))
        if 0 < unseen.sum() < len(unseen) and found.label[unseen[found.source]].any():
            parts.append(Comparison(found, held, unseen, seed).part("Sources without part in development", shuffled))
    return tuple(parts)


def _enough(found: Moments) -> None:
    failing = np.unique(found.source[found.label > 0])
    if len(failing) < SOURCES_MIN:
        raise ChecksError(
            f"{len(failing)} sources have a failure that could be foreseen, at least {SOURCES_MIN} are needed: "
            "each is judged by what was learned on the others"
        )


def _held(found: Moments, seed: int, progress: Callable[[], None]) -> dict[str, HeldOut]:
    held = {name: trained(found, learner, seed, progress) for name, learner in LEARNERS.items()}
    return held | {name: untrained(found, score(found)) for name, score in BASELINES.items()}


def _shuffled(found: Moments, seed: int) -> float:
    """PR-AUC of the model that learned labels dealt at random, judged on labels dealt at random."""
    dealt = np.random.default_rng(seed).permutation(found.label)
    blind = replace(found, label=dealt)
    return average_precision(dealt, crossed(blind, self_exciting, seed, np.arange(len(found.names))))


class _Progress:
    """Counts steps and tells how many there are."""

    def __init__(self, step: Callable[[int, int], None], total: int) -> None:
        self._step, self._total, self._done = step, total, 0

    def __call__(self) -> None:
        self._done += 1
        self._step(self._done, self._total)
