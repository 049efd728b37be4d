"""What a predictor learns from: feature rows of healthy moments, and whether a failure began within each horizon.

Twice: first from a sample that any recording yields quickly, then from the moments at which a model that learned this
sample sees something. What decides whether a page is right are those that look like a failure and are none; they are
one in hundreds, and the first sample holds few of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.system import System
from foregate.predict.evaluate.truth import Truth, truth_of
from foregate.predict.models.calibration import sigmoid
from foregate.predict.moments import Recorded

EVERY_MIN: Final = 3  # minutes before a failure hardly differ from their neighbours
CALM_SHARE: Final = 0.06  # of the moments that no failure follows: they differ even less
EXAMPLES_MAX: Final = 2_000_000  # 850 MB of features; beyond it each system gives fewer
TELLING_POWER: Final = 0.8  # how much less often a moment is taken that the scout thinks less of …
TELLING_MIN: Final = 0.005  # … and how often one that it thinks nothing of

Scout = Callable[[NDArray[np.float32]], NDArray[np.float64]]  # rows (n, F) → log-odds (n,)
T = TypeVar("T")
R = TypeVar("R")


class Each(Protocol):
    """`map`, or one that deals the work out to processes."""

    def __call__(self, work: Callable[[T], R], items: Sequence[T], /) -> Iterable[R]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """n moments: `rows` (n, F); `labels` (n, horizons) of 0 and 1."""

    rows: NDArray[np.float32]
    labels: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def failing(self) -> NDArray[np.float32]:
        """Share of moments with a failure ahead, per horizon."""
        share: NDArray[np.float32] = self.labels.mean(axis=0)
        return share


def examples(systems: Sequence[System], horizons_s: tuple[int, ...], *, seed: int, each: Each = map) -> Examples:
    """Moments of all systems, one in `EVERY_MIN` before failures and a share of the calm ones. Deterministic.

    Raises ValueError when there are none.
    """
    return _gathered(each(partial(_sampled, horizons_s, seed), list(enumerate(systems))), len(systems), seed)


def telling_examples(
    systems: Sequence[System], horizons_s: tuple[int, ...], scout: Scout, *, seed: int, each: Each = map
) -> Examples:
    """Moments of all systems, the likelier taken the more the scout thinks of them. Deterministic.

    Whether one is taken depends on its features alone: so among moments that look alike failures stay as frequent as
    they are. A scout that learned from these systems knows some of their failures too well; calibration and thresholds
    come from others. Raises ValueError when there are none.
    """
    return _gathered(each(partial(_telling, horizons_s, scout, seed), list(enumerate(systems))), len(systems), seed)


def _gathered(parts: Iterable[Examples], systems: int, seed: int) -> Examples:
    most = EXAMPLES_MAX // max(1, systems)
    kept = [_thinned(part, most, (seed, number)) for number, part in enumerate(parts)]
    kept = [part for part in kept if len(part)]
    if not kept:
        raise ValueError("the recordings hold no healthy minute to learn from")
    return Examples(np.concatenate([part.rows for part in kept]), np.concatenate([part.labels for part in kept]))


def _thinned(part: Examples, most: int, seed: tuple[int, int]) -> Examples:
    if len(part) <= most:
        return part
    chosen = np.sort(np.random.default_rng((*seed, 2)).choice(len(part), most, replace=False))
    return Examples(part.rows[chosen], part.labels[chosen])


def _sampled(horizons_s: tuple[int, ...], seed: int, numbered: tuple[int, System]) -> Examples:
    number, system = numbered
    truths = [truth_of(system, horizon_s) for horizon_s in horizons_s]
    minutes = _minutes(truths, np.random.default_rng((seed, number)))
    rows = Recorded(system).rows(minutes)
    labels, kept = _labels(truths, minutes)
    calm = ~labels.any(axis=-1)
    # A minute is computed for all entities of the system; those that were calm in it would outnumber all others.
    busy = np.asarray((~calm & kept).any(axis=0))
    drawn = np.random.default_rng((seed, number, 1)).random(kept.shape) < 0.25
    kept &= ~calm | ~busy[None, :] | drawn
    return Examples(rows[kept], labels[kept])


def _telling(horizons_s: tuple[int, ...], scout: Scout, seed: int, numbered: tuple[int, System]) -> Examples:
    number, system = numbered
    truths = [truth_of(system, horizon_s) for horizon_s in horizons_s]
    rng = np.random.default_rng((seed, number, 3))
    parts: list[tuple[Any, Any]] = []
    for minutes, block in Recorded(system).blocks():
        labels, kept = _labels(truths, minutes)
        rows = block[kept]
        if len(rows):
            wanted = rng.random(len(rows)) < np.clip(sigmoid(scout(rows)) ** TELLING_POWER, TELLING_MIN, 1.0)
            parts.append((rows[wanted], labels[kept][wanted]))
    if not parts:
        return Examples(np.zeros((0, 0), dtype=np.float32), np.zeros((0, len(horizons_s)), dtype=np.float32))
    return Examples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _labels(
    truths: Sequence[Truth], minutes: NDArray[np.intp] | slice
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(whether a failure follows within each horizon (E, J, horizons), which moments count for all of them (E, J))."""
    labels = np.stack([truth.label[:, minutes] for truth in truths], axis=-1).astype(np.float32)
    return labels, np.asarray(np.logical_and.reduce([truth.scored[:, minutes] for truth in truths]))


def _minutes(truths: list[Truth], rng: np.random.Generator) -> NDArray[np.intp]:
    """Which minutes to look at: those before a failure of any entity, and some of the others."""
    longest = max(truths, key=lambda truth: truth.horizon_min)
    before = np.asarray((longest.label & longest.scored).any(axis=0))
    index = np.arange(len(before))
    chosen = np.where(before, index % EVERY_MIN == rng.integers(EVERY_MIN), rng.random(len(before)) < CALM_SHARE)
    return np.flatnonzero(chosen)
