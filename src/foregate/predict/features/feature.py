"""The shape of a feature: a name, a unit, a formula and a sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foregate.predict.features.frame import Frame
from foregate.predict.usual import Floats

Topic = Literal[
    "latency level",
    "latency trend",
    "latency growth",
    "latency season",
    "tail",
    "errors",
    "error trend",
    "timeouts",
    "retries",
    "saturation",
    "saturation trend",
    "waiting",
    "traffic",
    "traffic trend",
    "traffic season",
    "refusals",
    "past",
    "dependencies",
    "siblings",
    "exhaustion",
    "time limit",
    "changes",
    "models",
    "history",
]
Formula = Callable[[Frame], Floats]  # (n,): NaN where it cannot be known
Sentence = Callable[[Frame, int], str]  # of one moment of the frame, with its values and what is usual


@dataclass(frozen=True, slots=True)
class Feature:
    """`compute(frame)` gives a number per moment in `unit`, NaN where it is not known; `sentence(frame, i)` says it.

    `monotone` 1 tells the model that more of it never lowers the risk, −1 that it never raises it (a guard against
    learning a system's accidents); 0 leaves it free. Features of one `topic` say nearly the same thing: people are
    shown the strongest of them.
    """

    name: str
    unit: str
    topic: Topic
    monotone: Literal[-1, 0, 1]
    compute: Formula
    sentence: Sentence


def once(of: Formula) -> Formula:
    """The same formula, computed once for a frame: sentences ask for it again, moment by moment."""
    return lambda f: f.once(of, lambda: of(f))


def bounded(values: NDArray[np.floating], low: float, high: float) -> Floats:
    """Within the bounds; NaN stays."""
    out: Floats = np.clip(values, np.float32(low), np.float32(high)).astype(np.float32)
    return out


def over(
    values: NDArray[np.floating], base: NDArray[np.floating], floor: float, low: float = 0.05, high: float = 30.0
) -> Floats:
    """values / base, both at least `floor`, within [low, high]; NaN where either is not known."""
    f = np.float32(floor)
    return bounded(np.maximum(values, f) / np.maximum(base, f), low, high)
