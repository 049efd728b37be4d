"""Which lab hours a training needs."""

from typing import Literal, NamedTuple

Part = Literal["natural", "dense", "test"]
SHARES: dict[Part, float] = {"natural": 1 / 3, "dense": 1 / 2, "test": 1 / 6}
FIRST: dict[Part, int] = {"natural": 0, "dense": 1_000, "test": 3_000}
SEEDS_APART = 10_000  # two trainings with different seeds share no run
RUNS_MAX = 1_000


class Run(NamedTuple):
    """One lab hour of a training. "dense" hours hold more faults; "natural" and "test" hours are as they come."""

    part: Part
    seed: int


def plan(runs: int, seed: int) -> list[Run]:
    """Which runs a training of `runs` hours needs (at most `RUNS_MAX`): every seed belongs to one part only."""
    return [
        Run(part, seed * SEEDS_APART + first + i)
        for part, first in FIRST.items()
        for i in range(round(min(runs, RUNS_MAX) * SHARES[part]))
    ]
