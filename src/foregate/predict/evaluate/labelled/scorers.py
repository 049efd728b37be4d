"""The scores that stand beside one another: chance, the old ones, each detector, and what they make together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from foregate.predict.detectors.ewma import EwmaZ
from foregate.predict.detectors.fused import MEMORY, Fused
from foregate.predict.detectors.slots import Floats
from foregate.predict.detectors.tail import Tail
from foregate.predict.evaluate.labelled.series import Series

FUSED: Final = "fused (default)"
ALARM: Final = "alarm"  # p-values below the stated rate, as −log10 p; not a row of the table
CELLS_MAX: Final = 10_000_000  # steps, gaps included, of series side by side; some 130 bytes each: more is refused
MEMBERS: Final = ("robust z", "seasonal", "autoregression", "sub-PCA", "CUSUM")
SCORERS: Final = (
    "random",
    "EWMA + z",
    *MEMBERS,
    "robust z, with memory",
    "fused by rank, with memory",
    "fused, no memory",
    FUSED,
)

Scores = dict[str, Floats]  # by scorer, shape (n,) as the series
Step = Callable[[int, int], None]  # done, of how many


def score_all(series: list[Series], seed: int, step: Step) -> list[Scores]:
    """The scores of all series, in their order. Series of equal steps go through one bank, side by side.

    Raises ValueError when these are more than `CELLS_MAX`.
    """
    results: list[Scores] = [{} for _ in series]
    steps = sorted({one.step_s for one in series})
    batches = [[i for i, one in enumerate(series) if one.step_s == step_s] for step_s in steps]
    total = sum(max(int(series[i].at[-1]) + 1 for i in batch) for batch in batches)
    done = 0
    for step_s, batch in zip(steps, batches, strict=True):
        values = _side_by_side([series[i] for i in batch])
        begun = done
        told = _run(values, step_s, lambda t, begun=begun: step(begun + t, total))  # type: ignore[misc]
        for row, i in enumerate(batch):
            results[i] = {name: scores[row, series[i].at] for name, scores in told.items()}
        done += values.shape[1]
    for one, scores in zip(series, results, strict=True):
        chance = np.random.default_rng([seed, *one.name.encode()])
        scores["random"] = chance.random(len(one.values))
    step(total, total)
    return results


def _side_by_side(series: list[Series]) -> Floats:
    longest = max(series, key=lambda one: int(one.at[-1]))
    shape = len(series), int(longest.at[-1]) + 1
    if shape[0] * shape[1] > CELLS_MAX:
        raise ValueError(
            f"{shape[0]} series side by side are {shape[0] * shape[1]:,} steps with their gaps, at most "
            f"{CELLS_MAX:,} are judged at once: {longest.name} alone spans {shape[1]:,}"
        )
    values = np.full(shape, np.nan)
    for row, one in enumerate(series):
        values[row, one.at] = one.values
    return values


def _run(values: Floats, step_s: float, step: Callable[[int], None]) -> Scores:
    n, length = values.shape
    fused, ewma = Fused(n, step_s), EwmaZ(n)
    tails = {name: Tail(n, keep=128, stride_max=64) for name in MEMBERS}
    told = {name: np.full((n, length), np.nan) for name in (*SCORERS[1:], ALARM)}
    robust_held, rank_held = np.zeros(n), np.zeros(n)
    for t in range(length):
        if t % 256 == 0:
            step(t)
        now = values[:, t]
        told["EWMA + z"][:, t] = ewma.score(now)
        ewma.learn(now)
        scores = fused.scores(now)
        ranks = []
        for name, score in scores.items():
            told[name][:, t] = score
            ranks.append(-np.log10(tails[name].p_values(np.log1p(score))))
            tails[name].learn(np.log1p(score))
        verdict = fused.step(now)
        told["fused, no memory"][:, t], told[FUSED][:, t] = verdict.score, verdict.evidence
        told[ALARM][:, t] = -np.log10(verdict.p)
        robust_held = _hold(robust_held, np.log1p(scores["robust z"]))
        rank_held = _hold(rank_held, np.nansum(ranks, axis=0) / len(ranks))
        told["robust z, with memory"][:, t], told["fused by rank, with memory"][:, t] = robust_held, rank_held
    return told


def _hold(held: Floats, score: Floats) -> Floats:
    kept: Floats = np.fmax(held * math.exp(-1 / MEMORY), score)
    return kept
