"""What a predictor learns from: feature rows of healthy moments, and whether a failure began within each horizon."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.system import System
from foregate.predict.evaluate.truth import Truth, truth_of
from foregate.predict.moments import Recorded

EVERY_MIN: Final = 3  # minutes before a failure hardly differ from their neighbours
CALM_SHARE: Final = 0.06  # of the moments that no failure follows: they differ even less
EXAMPLES_MAX: Final = 2_000_000  # 700 MB of features; beyond it fewer calm moments are taken


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """n moments: `rows` (n, F); `labels` (n, horizons) of 0 and 1; `group` (n,) the number of the system."""

    rows: NDArray[np.float32]
    labels: NDArray[np.float32]
    group: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def failing(self) -> NDArray[np.float32]:
        """Share of moments with a failure ahead, per horizon."""
        share: NDArray[np.float32] = self.labels.mean(axis=0)
        return share


def examples(systems: Iterable[System], horizons_s: tuple[int, ...], *, seed: int) -> Examples:
    """Moments of all systems, one in `EVERY_MIN` before failures and a share of the calm ones. Deterministic.

    Raises ValueError when there are none.
    """
    parts = [_of(system, number, horizons_s, seed) for number, system in enumerate(systems)]
    parts = [part for part in parts if len(part)]
    if not parts:
        raise ValueError("the recordings hold no healthy minute to learn from")
    return Examples(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("rows", "labels", "group")))


def _of(system: System, number: int, horizons_s: tuple[int, ...], seed: int) -> Examples:
    truths = [truth_of(system, horizon_s) for horizon_s in horizons_s]
    minutes = _minutes(truths, np.random.default_rng((seed, number)))
    rows = Recorded(system).rows(minutes)
    labels = np.stack([truth.label[:, minutes] for truth in truths], axis=-1).astype(np.float32)
    kept = np.logical_and.reduce([truth.scored[:, minutes] for truth in truths])
    calm = ~labels.any(axis=-1)
    # A minute is computed for all entities of the system; those that were calm in it would outnumber all others.
    busy = (~calm & kept).any(axis=0)
    drawn = np.random.default_rng((seed, number, 1)).random(kept.shape) < 0.25
    kept &= ~calm | ~busy[None, :] | drawn
    return Examples(rows[kept], labels[kept], np.full(int(kept.sum()), number, dtype=np.int32))


def _minutes(truths: list[Truth], rng: np.random.Generator) -> NDArray[np.intp]:
    """Which minutes to look at: those before a failure of any entity, and some of the others."""
    longest = max(truths, key=lambda truth: truth.horizon_min)
    before = np.asarray((longest.label & longest.scored).any(axis=0))
    index = np.arange(len(before))
    chosen = np.where(before, index % EVERY_MIN == rng.integers(EVERY_MIN), rng.random(len(before)) < CALM_SHARE)
    return np.flatnonzero(chosen)
