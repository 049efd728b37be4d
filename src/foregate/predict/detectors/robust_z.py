"""Robust z: the distance from the median in robust standard deviations, with a floor under the deviation."""

import math

from foregate.predict.detectors.readings import METRICS, Z_BOUND, Metric, Reading, sentence
from foregate.predict.features import View
from foregate.predict.history import COLUMN

__all__ = ["METRICS", "Reading", "score"]


def score(view: View, metric: Metric) -> Reading:
    """How unusual the metric is now.

    z = (value − median) / max(1.4826 · MAD, floor). The floor is what chance alone explains: 5 % of the median and 2 ms
    for latency, the binomial deviation of this many requests for the error rate, the Poisson deviation for the traffic.
    So a flat series has a defined z (0 while it stays flat), and one error among few requests is no anomaly. Cold
    start: without a usual level there is no view, hence no score. A gap in the past only makes the reference smaller.
    """
    i = COLUMN[metric]
    value, expected = float(view.values[i]), float(view.usual.median[i])
    spread = max(float(view.usual.spread[i]), _floor(view, metric, expected))
    z = min(max((value - expected) / spread, -Z_BOUND), Z_BOUND)
    return Reading(metric, value, expected, z, sentence(metric, value, expected))


def _floor(view: View, metric: Metric, expected: float) -> float:
    if metric == "p95_ms":
        return max(0.05 * expected, 2.0)
    n = max(view.now.requests, 1)
    if metric == "error_rate":
        p = min(max(expected, 1.0 / n), 0.5)
        return math.sqrt(p * (1 - p) / n)
    return math.sqrt(max(expected, 0.05) / view.now.span_s)
