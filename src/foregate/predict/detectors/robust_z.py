"""Robust z: the distance from the median in robust standard deviations, with a floor under the deviation."""

from collections.abc import Collection

import numpy as np

from foregate.predict.detectors.chance import chance
from foregate.predict.detectors.readings import METRICS, Z_BOUND, Reading, sentence
from foregate.predict.features import Frame
from foregate.predict.usual import Floats


def scores(frame: Frame) -> Floats:
    """How unusual each of `METRICS` is now, (n, 3).

    z = (value − median) / max(1.4826 · MAD, floor). The floor is what chance alone explains (`chance`). Cold start:
    without a usual level there is no moment, hence no score. A gap only makes the reference smaller.
    """
    sparse = frame.sparse
    requests = np.where(sparse, frame.count("requests", 5), frame.count("requests", 1))
    floor = chance(requests, np.where(sparse, 300.0, 60.0), frame.usual)
    now = np.stack([frame.now(metric) for metric in METRICS], axis=1)
    usual = np.stack([frame.median(metric) for metric in METRICS], axis=1)
    spread = np.nan_to_num(np.stack([frame.spread(metric) for metric in METRICS], axis=1))
    z: Floats = np.clip((now - usual) / np.maximum(spread, floor), -Z_BOUND, Z_BOUND).astype(np.float32)
    z[np.isnan(z)] = 0.0
    return z


def readings(frame: Frame, of: Collection[int], z: Floats) -> dict[int, list[Reading]]:
    """The readings of some moments, by their numbers. z: `scores(frame)`."""
    found = {}
    for i in of:
        values = [(m, float(frame.now(m)[i]), float(frame.median(m)[i])) for m in METRICS]
        found[i] = [Reading(m, v, e, float(z[i, k]), sentence(m, v, e)) for k, (m, v, e) in enumerate(values)]
    return found
