"""One metric at one moment as people are told it: the value, what is usual, how far off that is."""

from dataclasses import dataclass
from typing import Final, Literal

from foregate.predict.features.words import against_usual, ms, percent, rate

Metric = Literal["p95_ms", "error_rate", "rps"]
METRICS: Final[tuple[Metric, ...]] = ("p95_ms", "error_rate", "rps")
Z_BOUND: Final = 99.0


@dataclass(frozen=True, slots=True)
class Reading:
    """`value` and `expected` are in the metric's unit; `z` is within ±99. `rare`: it may open an anomaly."""

    metric: Metric
    value: float
    expected: float
    z: float
    sentence: str
    rare: bool = True


def sentence(metric: Metric, value: float, expected: float) -> str:
    """E.g. "p95 latency is 480 ms, 3.2× its usual 150 ms"."""
    if metric == "p95_ms":
        return against_usual("p95 latency", ms(value), max(value, 1.0) / max(expected, 1.0), ms(expected))
    if metric == "error_rate":
        return f"error rate is {percent(value)}, usually {percent(expected)}"
    return against_usual("traffic", rate(value), max(value, 0.05) / max(expected, 0.05), rate(expected))
