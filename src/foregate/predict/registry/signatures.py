"""How a failure announced itself: nobody names the causes of real failures, so the minutes before them are told apart.

A measure shows itself when it leaves its usual level (the median of the 40 minutes before) and stays away; what showed
itself first gives the signature. A failure before which nothing did is "without warning": no model can foresee it.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.system import COLUMN, System

LOOK_MINUTES: Final = 15
USUAL_MINUTES: Final = 40
STAYS_SHARE: Final = 0.6  # of the minutes from the first one on: a single one is chance
MINUTES_MIN: Final = 2  # it has to show itself so long: a failure's own first minute is no warning of it
WITHOUT_WARNING: Final = "without warning"
UNKNOWN: Final = "too little recorded before it"

Minutes = NDArray[np.float64]


class Window(NamedTuple):
    """What is looked at, and what is usual: shapes (columns, ≤15) and (columns, ≤40)."""

    look: Minutes
    usual: Minutes

    def column(self, name: str) -> Minutes:
        found: Minutes = self.look[COLUMN[name]]
        return found

    def level(self, name: str) -> float:
        """The usual level; NaN where it is not known."""
        known = self.usual[COLUMN[name]]
        known = known[np.isfinite(known)]
        return float(np.median(known)) if known.size else float("nan")

    def share(self, name: str) -> tuple[Minutes, float]:
        """Of requests: minute by minute, and usually."""
        requests = np.maximum(self.column("requests"), 1.0)
        total = np.nansum(self.usual[COLUMN["requests"]])
        usual = self.usual[COLUMN[name]]
        return self.column(name) / requests, float(np.nansum(usual) / max(total, 1.0))


def _grew(name: str, factor: float, floor: float) -> Callable[[Window], NDArray[np.bool_]]:
    return lambda window: window.column(name) > max(factor * window.level(name), floor)


def _share_grew(name: str, floor: float) -> Callable[[Window], NDArray[np.bool_]]:
    def shows(window: Window) -> NDArray[np.bool_]:
        share, usual = window.share(name)
        shown: NDArray[np.bool_] = share > max(3 * usual, floor)
        return shown

    return shows


def _below(name: str, bound: float) -> Callable[[Window], NDArray[np.bool_]]:
    return lambda window: window.column(name) < bound


def _any(*shows: Callable[[Window], NDArray[np.bool_]]) -> Callable[[Window], NDArray[np.bool_]]:
    return lambda window: np.logical_or.reduce([each(window) for each in shows])


# In this order where several show themselves in the same minute: the nearer to a cause the earlier.
MEASURES: Final[dict[str, Callable[[Window], NDArray[np.bool_]]]] = {
    "something ran out": _any(_below("quota_left", 0.05), _below("disk_left", 0.05), _below("cert_left_s", 86_400.0)),
    "throttled first": _any(_share_grew("limited", 0.05), _share_grew("upstream_limited", 0.05)),
    "traffic grew first": _grew("requests", 1.5, 10.0),
    "retries grew first": _share_grew("retries", 0.05),
    "latency grew first": _grew("p95_ms", 1.5, 0.0),
    "saturation grew first": _any(_grew("inflight_max", 2.0, 4.0), _grew("queue_mean_ms", 2.0, 5.0)),
    "errors crept up first": _share_grew("errors", 0.01),
}
CHANGED: Final = "after a change"  # a deploy or a configuration, and nothing else showed itself before it


def signature(minutes: Minutes, onset: int) -> str:
    """Of the failure whose first bad minute is `onset`; `minutes`: shape (columns, N)."""
    begins = max(0, onset - LOOK_MINUTES)
    window = Window(minutes[:, begins:onset], minutes[:, max(0, begins - USUAL_MINUTES) : begins])
    if window.usual.shape[1] < 5 or not np.isfinite(window.usual[COLUMN["requests"]]).any():
        return UNKNOWN
    with np.errstate(invalid="ignore"):
        first = {name: _first(shows(window)) for name, shows in MEASURES.items()}
    shown = {name: at for name, at in first.items() if at is not None}
    if shown:
        return min(shown, key=lambda name: (shown[name], list(MEASURES).index(name)))
    changed = np.nansum(window.column("deploys")) + np.nansum(window.column("config_changes"))
    return CHANGED if changed > 0 else WITHOUT_WARNING


def signatures(system: System, onsets: Sequence[tuple[int, int]]) -> list[str]:
    """Of each failure, given as (entity's number, minute's number)."""
    return [signature(system.minutes[entity].astype(np.float64), minute) for entity, minute in onsets]


def _first(shown: NDArray[np.bool_]) -> int | None:
    """The first minute from which on it shows itself and stays."""
    for at in np.flatnonzero(shown):
        rest = shown[at:]
        if rest.size >= MINUTES_MIN and rest.mean() >= STAYS_SHARE:
            return int(at)
    return None
