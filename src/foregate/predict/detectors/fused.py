"""The one default configuration: five detectors over each series, fused, with a threshold of a stated rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from foregate.predict.detectors.autoregression import Autoregression
from foregate.predict.detectors.change import Cusum
from foregate.predict.detectors.detector import Bank
from foregate.predict.detectors.robust import RobustZ
from foregate.predict.detectors.seasonal import Seasonal
from foregate.predict.detectors.slots import Floats, Index, Slots
from foregate.predict.detectors.subsequence import SubPca
from foregate.predict.detectors.tail import Tail

MEMORY: Final = 60  # values after which an anomaly that is over counts 1/e
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What was found of one value per slot; each shape (n,), NaN where there is nothing to say."""

    score: Floats  # the mean of the detectors' log(1 + score)
    evidence: Floats  # the score, or what is left of an earlier one: this ranks moments
    p: Floats  # how rarely the series itself scores as high: this alarms
    z: Floats  # the robust z with its sign
    expected: Floats  # the median, in the metric's unit


class Fused(Slots):
    """Robust z, seasonal, AR and sub-PCA residuals and CUSUM, each in its own robust unit, averaged as log(1 + score).

    A detector that has nothing to say yet is left out of the mean; without any the score is NaN. `evidence` decays over
    60 values, for an incident is not over between two of its outliers. `step_s`: seconds between two values; day and
    week follow from it. `beside` (n,): the score of one more detector that saw the same moment, e.g. `JointPca`.

    An alarm at p ≤ `alarm_p(rate_per_day)` has the stated rate on a series that goes on as it was (see `Tail`).
    """

    scale_free = True

    def __init__(self, size: int, step_s: float) -> None:
        super().__init__(size)
        self._step_s = step_s
        self.robust = RobustZ(size)
        self._seasonal = Seasonal(size, step_s)
        self.members: dict[str, Bank] = {
            "robust z": self.robust,
            "seasonal": self._seasonal,
            "autoregression": Autoregression(size),
            "sub-PCA": SubPca(size),
            "CUSUM": Cusum(size, self.robust),
        }
        self.tail = Tail(size, keep=256, stride_max=64)
        self.held = self._floats("held", blank=0.0)

    def alarm_p(self, rate_per_day: float) -> float:
        """The p-value from which an alarm is raised, for at most so many false ones per series and day."""
        return min(rate_per_day * self._step_s / DAY_S, 1.0)

    def scores(self, values: Floats) -> dict[str, Floats]:
        """The score of each member by its name."""
        return {name: bank.score(values) for name, bank in self.members.items()}

    def judge(self, values: Floats, beside: Floats | None = None) -> Verdict:
        """What can be said of the values; changes nothing."""
        scores = list(self.scores(values).values()) + ([] if beside is None else [beside])
        score = mean_log(scores)
        held = np.where(np.isnan(score), np.nan, np.fmax(score, self.held * math.exp(-1 / MEMORY)))
        z = self.robust.signed(values)
        return Verdict(score, held, self.tail.p_values(score), z, self.robust.median.astype(np.float64))

    def score(self, values: Floats) -> Floats:
        """The evidence."""
        return self.judge(values).evidence

    def learn(self, values: Floats) -> None:
        """Take the values in."""
        self.step(values)

    def step(self, values: Floats, beside: Floats | None = None) -> Verdict:
        """Judge the values, then take them in: what is done once a minute."""
        verdict = self.judge(values, beside)
        self.tail.learn(verdict.score)
        decayed = self.held * math.exp(-1 / MEMORY)
        self.held = np.where(np.isnan(verdict.evidence), decayed, verdict.evidence).astype(np.float32)
        for bank in reversed(self.members.values()):  # CUSUM looks at the robust z before that has learned
            bank.learn(values)
        return verdict

    def skip(self, steps: int) -> None:
        """So many steps went by of which nothing is known: it is later in the day."""
        self._seasonal.skip(steps)
        self.held *= np.float32(math.exp(-steps / MEMORY))

    def reset(self, slots: Index) -> None:
        """Forget these slots."""
        super().reset(slots)
        for bank in self.members.values():
            bank.reset(slots)
        self.tail.reset(slots)

    def grow(self, size: int) -> None:
        """Add blank slots up to `size` in all."""
        super().grow(size)
        for bank in self.members.values():
            bank.grow(size)
        self.tail.grow(size)

    @property
    def nbytes(self) -> int:
        """Memory of the state, in bytes."""
        return super().nbytes + self.tail.nbytes + sum(bank.nbytes for bank in self.members.values())


def mean_log(scores: list[Floats]) -> Floats:
    """The mean of log(1 + score) over those that say anything; NaN where none does."""
    logs = np.log1p(np.stack(scores))
    told = np.count_nonzero(~np.isnan(logs), axis=0)
    mean: Floats = np.where(told > 0, np.nansum(logs, axis=0) / np.maximum(told, 1), np.nan)
    return mean
