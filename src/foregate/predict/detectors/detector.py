"""What every detector is: a score of how unusual a value is for its own series, learned as it goes."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from foregate.predict.detectors.slots import Floats, Index

SCORE_MAX: Final = 1e6  # no score is larger: a flat series that moves at last is no infinity
VALUE_MAX: Final = 1e18  # no value is larger: its square must fit the state's single precision


class Bank(Protocol):
    """One detector over n series at once, each in its slot.

    `score` judges values by what was learned before and changes nothing; `learn` then takes them in. So there is no
    look-ahead: the score of a prefix is the prefix of the scores. Slots never touch one another: a series gets the same
    scores alone as among thousands. What holds for all of them, held by one suite
    (tests/predict/detectors/test_conformance.py):

    - cold start: NaN ("nothing to say") until enough was learned, never a guess;
    - a gap (NaN) is scored NaN; it counts as time that went by, and is otherwise left out;
    - a flat series, constant zero too, scores 0 while it stays flat;
    - a score is ≥ 0, finite, at most `SCORE_MAX`; infinities and values beyond ±`VALUE_MAX` count as gaps;
    - memory is bounded, and allocated with the slots;
    - where `scale_free`, a series times a positive constant gets the same scores.
    """

    size: int
    scale_free: bool

    def score(self, values: Floats) -> Floats:
        """Values (n,), or (n, m) of a multivariate detector, → scores (n,)."""
        ...

    def learn(self, values: Floats) -> None:
        """Take the values in, one per slot; NaN where there is none."""
        ...

    def reset(self, slots: Index) -> None:
        """Forget these slots."""
        ...

    def grow(self, size: int) -> None:
        """Add blank slots up to `size` in all."""
        ...

    @property
    def nbytes(self) -> int:
        """Memory of the state, in bytes."""
        ...


class Single:
    """A bank of one series, in the words of online learning: `score_one`, then `learn_one`."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def score_one(self, x: float | Floats) -> float:
        """How unusual x is by what was learned before; NaN: nothing to say."""
        return float(self._bank.score(np.asarray([x], dtype=np.float64))[0])

    def learn_one(self, x: float | Floats) -> None:
        """Take x in; NaN is a gap."""
        self._bank.learn(np.asarray([x], dtype=np.float64))


def clean(values: Floats) -> Floats:
    """What is beyond `VALUE_MAX` as gaps."""
    cleaned: Floats = np.where(np.abs(values) <= VALUE_MAX, values, np.nan)  # comparisons with NaN are False
    return cleaned


def ratio(distance: Floats, scale: Floats) -> Floats:
    """distance / scale within 0 … SCORE_MAX: 0/0 is 0, more than nothing over nothing is SCORE_MAX, NaN stays NaN."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        score = np.where(distance == 0.0, 0.0, distance / scale)
    kept: Floats = np.where(np.isnan(distance) | np.isnan(scale), np.nan, np.minimum(score, SCORE_MAX))
    return kept
