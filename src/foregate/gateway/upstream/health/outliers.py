"""Passive health as a decision: which targets do so much worse than the others that they are sent away for a while.

After Envoy's outlier detection: judged every interval by what the traffic itself has met; an ejection lasts longer each
time; never more than a share of the targets is away, so that a bad release of all of them does not end in none.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from foregate.wire.snapshot import OutlierDetection

EJECTIONS_MAX = 10  # an ejection lasts at most so many times eject_s


class Figures(NamedTuple):
    """What one target has done in an interval. `seconds`: the sum over its successful answers, to the first byte."""

    answers: int
    failures: int
    seconds: float
    ejected: bool


class Outlier(NamedTuple):
    """A target to eject, by its place among the figures, and why."""

    at: int
    reason: str


def outliers(figures: Sequence[Figures], settings: OutlierDetection) -> list[Outlier]:
    """Who is to be ejected now, the worst first, as many as may still be."""
    room = int(settings.ejected_max * len(figures)) - sum(target.ejected for target in figures)
    judged = [
        (index, target)
        for index, target in enumerate(figures)
        if not target.ejected and target.answers >= settings.requests_min
    ]
    means = {
        index: target.seconds / (target.answers - target.failures)
        for index, target in judged
        if target.answers > target.failures
    }
    found: list[tuple[float, Outlier]] = []
    for index, target in judged:
        failed = target.failures / target.answers
        if failed >= settings.error_rate:
            found.append((failed / settings.error_rate, Outlier(index, f"{failed:.0%} of {target.answers} failed")))
            continue
        others = [mean for other, mean in means.items() if other != index]
        if settings.slower_than is None or index not in means or not others:
            continue
        slowness = means[index] / max(median(others), 1e-6)
        if slowness > settings.slower_than:
            reason = f"{slowness:.1f} times as slow as the others' median of {median(others) * 1000.0:.1f} ms"
            found.append((slowness / settings.slower_than, Outlier(index, reason)))
    found.sort(key=lambda badness: -badness[0])
    return [outlier for _, outlier in found[: max(0, room)]]


class Ejection:
    """One target's record. It begins to be forgotten with every interval in which the target did well."""

    __slots__ = ("_times", "active", "until_s")

    def __init__(self) -> None:
        self.active = False
        self.until_s = 0.0
        self._times = 0

    def eject(self, now_s: float, eject_s: float) -> float:
        """Send it away. Returns for how many seconds."""
        self._times = min(self._times + 1, EJECTIONS_MAX)
        self.active = True
        self.until_s = now_s + eject_s * self._times
        return eject_s * self._times

    def returns(self, now_s: float) -> bool:
        """True when its time is over: it is taken back."""
        if self.active and now_s >= self.until_s:
            self.active = False
            return True
        return False

    def did_well(self) -> None:
        """It was judged, and was no outlier."""
        self._times = max(0, self._times - 1)

    def reset(self) -> None:
        """Outliers are no longer looked for."""
        self.active = False
        self._times = 0
