"""The shape of a feature: a name, a unit, a formula and a sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from foregate.predict.features.view import View

Topic = Literal[
    "latency level",
    "latency trend",
    "latency growth",
    "tail",
    "errors",
    "error trend",
    "timeouts",
    "retries",
    "saturation",
    "saturation trend",
    "traffic",
    "traffic trend",
    "refusals",
    "past",
]
Formula = Callable[[View], float]
Sentence = Callable[[View], str]


@dataclass(frozen=True, slots=True)
class Feature:
    """`compute(view)` gives a finite number in `unit`; `sentence(view)` says it with its value and what is usual.

    `monotone` 1 tells the model that more of it never lowers the risk (a guard against learning the lab's accidents);
    0 leaves it free. Features of one `topic` say nearly the same thing: people are shown the strongest of them.
    """

    name: str
    unit: str
    topic: Topic
    monotone: Literal[0, 1]
    compute: Formula
    sentence: Sentence


def bounded(value: float, low: float, high: float) -> float:
    """`value` as a plain float within the bounds; NaN becomes the value nearest to zero in them."""
    if value != value:
        return min(max(0.0, low), high)
    return float(min(max(value, low), high))
