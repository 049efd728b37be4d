"""Robust z: the distance from the median in robust standard deviations, with a floor under the deviation."""

from collections.abc import Collection

import numpy as np

from foregate.predict.detectors.readings import METRICS, Z_BOUND, Metric, Reading, sentence
from foregate.predict.features import Frame
from foregate.predict.usual import Floats


def scores(frame: Frame) -> Floats:
    """How unusual each of `METRICS` is now, (n, 3).

    z = (value − median) / max(1.4826 · MAD, floor). The floor is what chance alone explains: 5 % of the median and 2 ms
    for latency, the binomial deviation of this many requests for the error rate, the Poisson deviation for the traffic.
    So a flat series has a defined z (0 while it stays flat), and one error among few requests is no anomaly. Cold
    start: without a usual level there is no moment, hence no score. A gap only makes the reference smaller.
    """
    parts: list[Floats] = []
    for metric in METRICS:
        value, expected = frame.now(metric), frame.median(metric)
        spread = np.maximum(np.nan_to_num(frame.spread(metric)), _floor(frame, metric, expected))
        parts.append(np.clip((value - expected) / spread, -Z_BOUND, Z_BOUND).astype(np.float32))
    z: Floats = np.stack(parts, axis=1)
    z[np.isnan(z)] = 0.0
    return z


def _floor(frame: Frame, metric: Metric, expected: Floats) -> Floats:
    if metric == "p95_ms":
        floor: Floats = np.maximum(np.float32(0.05) * expected, np.float32(2))
        return floor
    sparse = frame.sparse
    if metric == "error_rate":
        n = np.maximum(np.where(sparse, frame.count("requests", 5), frame.count("requests", 1)), 1)
        p = np.clip(expected, 1.0 / n, 0.5)
        return np.sqrt(p * (1 - p) / n).astype(np.float32)
    return np.sqrt(np.maximum(expected, 0.05) / np.where(sparse, 300.0, 60.0)).astype(np.float32)


def readings(frame: Frame, of: Collection[int], z: Floats) -> dict[int, list[Reading]]:
    """The readings of some moments, by their numbers. z: `scores(frame)`."""
    found = {}
    for i in of:
        values = [(m, float(frame.now(m)[i]), float(frame.median(m)[i])) for m in METRICS]
        found[i] = [Reading(m, v, e, float(z[i, k]), sentence(m, v, e)) for k, (m, v, e) in enumerate(values)]
    return found
