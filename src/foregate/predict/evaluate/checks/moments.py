"""The moments that are judged: hours at which an endpoint is known to be up and the next hours are known too.

A failure is an outage; its onset is the first record that says down after one that said up. Moments at which the
endpoint is down already are never judged. The last horizon before a silence or the end of a history is left out: nobody
knows what came.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.checks.features import features
from foregate.predict.evaluate.checks.load import Floats
from foregate.predict.evaluate.checks.timeline import HOUR_S, Source

LEAD_S_MIN: Final = 120.0


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """n moments of several sources, ordered by endpoint and time.

    `features`: (n, F). `label`: 1.0 when an onset comes within the horizon. `after_s`: seconds to the next onset.
    `fresh`: no failure of the endpoint has been seen yet. `source`, `endpoint`: row numbers into `names` and over all
    endpoints. `onsets`: per endpoint the onsets that count (a judged moment lies in the horizon before them, 2 min or
    more ahead), and which of them is the first failure of its history.
    """

    horizon_s: float
    names: tuple[str, ...]
    endpoints: int
    features: NDArray[np.float32]
    label: Floats
    time_s: Floats
    after_s: Floats
    fresh: NDArray[np.bool_]
    source: NDArray[np.int64]
    endpoint: NDArray[np.int64]
    onsets: tuple[tuple[Floats, NDArray[np.bool_]], ...]

    def of(self, chosen: NDArray[np.bool_]) -> "Moments":
        """The chosen moments, all endpoints keeping their numbers; onsets of unchosen endpoints are dropped."""
        nothing = (np.zeros(0), np.zeros(0, dtype=np.bool_))
        kept = np.bincount(self.endpoint[chosen], minlength=self.endpoints) > 0
        return Moments(
            self.horizon_s,
            self.names,
            self.endpoints,
            self.features[chosen],
            self.label[chosen],
            self.time_s[chosen],
            self.after_s[chosen],
            self.fresh[chosen],
            self.source[chosen],
            self.endpoint[chosen],
            tuple(onsets if keep else nothing for onsets, keep in zip(self.onsets, kept, strict=True)),
        )


def moments(made: tuple[Source, ...], horizon_h: int) -> Moments:
    """The judged moments of all sources."""
    horizon_s = horizon_h * HOUR_S
    columns: dict[str, list[NDArray[np.generic]]] = {
        name: [] for name in ("features", "time_s", "after_s", "fresh", "source", "endpoint")
    }
    onsets: list[tuple[Floats, NDArray[np.bool_]]] = []
    for number, source in enumerate(made):
        after_s = source.after_s()
        judged = source.known & ~source.down & (source.covered_s() >= horizon_s)
        endpoint, hour = np.nonzero(judged)
        columns["features"].append(features(source)[:, endpoint, hour].T)
        columns["time_s"].append(source.time_s[hour])
        columns["after_s"].append(after_s[endpoint, hour])
        first_down = np.array([_first_down(track.history.time_s, track.history.down) for track in source.tracks])
        columns["fresh"].append(source.time_s[hour] < first_down[endpoint])
        columns["source"].append(np.full(len(hour), number))
        columns["endpoint"].append(endpoint + len(onsets))
        for e, track in enumerate(source.tracks):
            counted = _counted(track.onset_s, source.time_s[judged[e]], horizon_s)
            onsets.append((counted, counted <= first_down[e]))
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    label = (joined["after_s"] <= horizon_s).astype(np.float64)
    return Moments(horizon_s, tuple(s.name for s in made), len(onsets), label=label, onsets=tuple(onsets), **joined)


def _first_down(time_s: Floats, down: NDArray[np.bool_]) -> float:
    return float(time_s[down.argmax()]) if down.any() else np.inf


def _counted(onset_s: Floats, judged_s: Floats, horizon_s: float) -> Floats:
    low = np.searchsorted(judged_s, onset_s - horizon_s)
    high = np.searchsorted(judged_s, onset_s - LEAD_S_MIN, side="right")
    result: Floats = onset_s[high > low]
    return result
