"""What every benchmark ends with: figures against goals, a JSON file, an exit status."""

import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.process import OUT


@dataclass(frozen=True)
class Goal:
    """`value` must lie within `least` … `most`."""

    what: str
    value: float
    most: float = float("inf")
    least: float = float("-inf")
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.least <= self.value <= self.most

    def line(self) -> str:
        bounds = [f"≥ {self.least:g}"] if self.least != float("-inf") else []
        bounds += [f"≤ {self.most:g}"] if self.most != float("inf") else []
        wanted = " and ".join(bounds) or "none set"
        verdict = "met" if self.met else "MISSED"
        return f"{verdict:7} {self.what}: {self.value:.3g}{self.unit} (goal {wanted}{self.unit})"


@dataclass
class Outcome:
    """One benchmark's end. `facts` are what goes into its JSON; `invalid` says why a figure must not be believed."""

    facts: dict[str, Any] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)


def finish(name: str, outcome: Outcome) -> int:
    """Print goals and what is missing, write `bench/out/<name>.json`; 0 when all is met and valid, else 1."""
    print()
    for goal in outcome.goals:
        print(goal.line())
    for peer, reason in outcome.skipped.items():
        print(f"SKIPPED {peer}: {reason}")
    for sentence in outcome.invalid:
        print(f"INVALID {sentence}")
    goals = [{"what": g.what, "value": g.value, "met": g.met, "line": g.line()} for g in outcome.goals]
    facts = {"time_s": time.time(), "facts": outcome.facts, "goals": goals}
    facts |= {"skipped": outcome.skipped, "invalid": outcome.invalid}
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")
    return 0 if all(goal.met for goal in outcome.goals) and not outcome.invalid else 1


def say(sentence: str) -> None:
    """Progress, beside the report."""
    print(sentence, file=sys.stderr, flush=True)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; NaN of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100.0) - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the least-squares line through (x, y); 0 for fewer than two points."""
    if len(points) < 2:
        return 0.0
    x_mean = statistics.fmean(x for x, _ in points)
    y_mean = statistics.fmean(y for _, y in points)
    width = sum((x - x_mean) ** 2 for x, _ in points)
    return sum((x - x_mean) * (y - y_mean) for x, y in points) / width if width else 0.0
