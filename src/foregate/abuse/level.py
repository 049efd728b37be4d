"""What a number usually is: exponentially weighted moving mean and variance, and how far a value lies from them.

Roberts, Control Chart Tests Based on Geometric Moving Averages (1959); the second moment is kept beside the first, so
that any number of slices without a request costs one power. Both are corrected for their start at zero, as in Adam
(Kingma and Ba, 2015, section 3), so the first slices count as fully as later ones.
"""

from math import sqrt

HALF_LIFE_SLICES = 150  # five minutes of slices of two seconds
MATURE_SLICES = 60  # from then on a level says what is usual
_KEEP = 0.5 ** (1.0 / HALF_LIFE_SLICES)
_VARIANCE_MIN = 1.0  # counts are whole: from 0 to 1 is no surprise


class Level:
    """Of a count per slice. `slices`: how many it has seen."""

    __slots__ = ("_mean", "_square", "_weight", "slices")

    def __init__(self) -> None:
        self._mean = self._square = self._weight = 0.0
        self.slices = 0

    @property
    def mature(self) -> bool:
        """Whether it has seen enough to say what is usual."""
        return self.slices >= MATURE_SLICES

    @property
    def mean(self) -> float:
        """Per slice; 0 before the first."""
        return self._mean / self._weight if self._weight else 0.0

    @property
    def variance(self) -> float:
        """Never less than that of independent arrivals (Poisson), whose variance is their mean, nor than 1."""
        if not self._weight:
            return _VARIANCE_MIN
        mean = self._mean / self._weight
        return max(self._square / self._weight - mean * mean, mean, _VARIANCE_MIN)

    def learn(self, value: float) -> None:
        """One more slice."""
        gain = 1.0 - _KEEP
        self._mean += gain * (value - self._mean)
        self._square += gain * (value * value - self._square)
        self._weight += gain * (1.0 - self._weight)
        self.slices += 1

    def learn_clipped(self, value: float, deviations: float) -> None:
        """One more slice, of which no more is believed than is usual: who attacks must not teach us that it is."""
        self.learn(min(value, self.most(deviations)))

    def rest(self, slices: int) -> None:
        """So many slices with nothing in them."""
        if slices > 0:
            keep = _KEEP**slices
            self._mean *= keep
            self._square *= keep
            self._weight = 1.0 - (1.0 - self._weight) * keep
            self.slices += slices

    def z(self, value: float) -> float:
        """How many standard deviations `value` lies above (below: negative) what is usual."""
        return (value - self.mean) / sqrt(self.variance)

    def most(self, deviations: float, slices: int = 1) -> float:
        """What so many slices together hold at most, when all is as usual: their mean and so many deviations."""
        return self.mean * slices + deviations * sqrt(self.variance * slices)


def share_z(hits: float, of: float, usual: float, usual_min: float = 0.02) -> float:
    """How many standard deviations the share hits/of lies above `usual`, as a binomial; 0 where there is nothing.

    `usual_min`: a share that was never met before is taken for this, so that a handful is no proof.
    """
    if of <= 0.0:
        return 0.0
    expected = min(max(usual, usual_min), 1.0 - usual_min)
    return (hits / of - expected) / sqrt(expected * (1.0 - expected) / of)
