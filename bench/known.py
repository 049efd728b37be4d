"""`known`: how much of the failures can be known at all? The same trees, told more and more.

First what foregate reads; then also the inner state of every simulated service, more than any gateway will ever be
told; then also which fault is on, how old it is and when it will have grown to failure, but not whether it will heal.
Development worlds alone, "train" and "validation": what is left at the end is chance, and no model's fault.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.known_world import FAULT, STATE, hidden
from bench.report import Outcome, finish, say
from foregate.app.evaluation import as_system, dealt_out
from foregate.lab.minutes import WorldPlan, generate, plan
from foregate.predict.evaluate.exam import Exam, exam_of
from foregate.predict.evaluate.paging import BUDGETS, sweep, threshold_for
from foregate.predict.evaluate.scores import average_precision
from foregate.predict.evaluate.system import System
from foregate.predict.evaluate.truth import truth_of
from foregate.predict.examples import TELLING_MIN, TELLING_POWER, Examples, examples
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURES
from foregate.predict.models.calibration import sigmoid
from foregate.predict.models.library import xgboost
from foregate.predict.moments import Recorded
from foregate.predict.train import PARAMETERS

TREES = 200  # none are chosen by the validation worlds: those judge
ETA = 0.08  # quicker than foregate's, which grows up to 400
SCOUTED = 3  # one world in so many shows first what is worth learning
FAILURES_MIN = 200  # fewer do not tell one row from the next
READ = len(FEATURES)
LEVELS = {
    "what foregate reads": READ,
    "… and the inner state of all services": READ + len(STATE),
    "… and which faults are on, how old, how far from failure": READ + len(STATE) + len(FAULT),
}
Rows = NDArray[np.float32]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Choice:
    worlds: int = 100
    choosing: int = 30
    seed: int = 0
    days: float = 2.0
    jobs: int = 2


@dataclass(frozen=True)
class Level:
    """`recall` at exactly each of the budgets of false alarms."""

    known: str
    pr_auc: float
    recall: tuple[float, ...]


@dataclass(frozen=True)
class Found:
    levels: tuple[Level, ...]
    moments: int  # learned from
    failing: float  # share of them
    failures: int  # judged by
    base_rate: float


def measure(choice: Choice) -> Found:
    """Learn on worlds of "train", judge on "validation". Raises ValueError when too little fails in either."""
    scouting = range(0, choice.worlds, SCOUTED)
    seen = list(_dealt(partial(_glance, choice), scouting, choice))
    labels = np.concatenate([each.labels[:, 0] for each in seen])
    scout = _boosted(np.concatenate([each.rows for each in seen]), labels, choice)
    say(f"{len(labels):,} moments of {len(scouting)} worlds tell what is worth learning")
    parts = list(_dealt(partial(_learned, choice, scout), range(choice.worlds), choice))
    rows, labels = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    del seen, parts
    say(f"{len(rows):,} moments of {choice.worlds} worlds are learned from")
    boosters = [_boosted(rows[:, :width], labels, choice) for width in LEVELS.values()]
    asked = list(_dealt(partial(_asked, choice, boosters), range(choice.choosing), choice))
    exam = exam_of([system for system, _ in asked], HORIZON_S)
    levels = (_level(known, exam, [said[i] for _, said in asked]) for i, known in enumerate(LEVELS))
    return Found(tuple(levels), len(rows), float(labels.mean()), int(exam.counted.sum()), exam.base_rate)


def _dealt(work: Any, worlds: Sequence[int], choice: Choice) -> Iterable[Any]:
    return dealt_out(work, worlds, choice.jobs, lambda done, total: None)


def _glance(choice: Choice, number: int) -> Examples:
    system = as_system(generate(plan("train", number, choice.seed, choice.days)))
    return examples([system], (HORIZON_S,), seed=number)


def _learned(choice: Choice, scout: bytes, number: int) -> tuple[Rows, Rows]:
    """(rows of all that is known, labels) of moments taken as train takes them: by their features alone."""
    world = plan("train", number, choice.seed, choice.days)
    system = as_system(generate(world))
    truth, rng = truth_of(system, HORIZON_S), np.random.default_rng((choice.seed, number))
    rows, labels = [], []
    for minutes, block in _known(world, system):
        counts = truth.scored[:, minutes]
        if counts.any():
            odds = _margins(scout, block[counts][:, :READ])
            wanted = rng.random(len(odds)) < np.clip(sigmoid(odds) ** TELLING_POWER, TELLING_MIN, 1.0)
            rows.append(block[counts][wanted])
            labels.append(truth.label[:, minutes][counts][wanted])
    none = np.zeros((0, READ + len(STATE) + len(FAULT)), dtype=np.float32)
    return np.concatenate([none, *rows]), np.concatenate([none[:, 0], *labels]).astype(np.float32)


def _known(world: WorldPlan, system: System) -> Iterable[tuple[slice, Rows]]:
    """(minutes, (E, J, columns)): foregate's features, then what is hidden from it."""
    beyond = hidden(world)
    for minutes, block in Recorded(system).blocks():
        yield minutes, np.concatenate([block, beyond[:, minutes]], axis=2)


def _boosted(rows: Rows, labels: Rows, choice: Choice) -> bytes:
    """By the parameters of train, what foregate does not read unconstrained."""
    if not 0.0 < labels.mean() < 1.0:
        raise ValueError("nothing failed in the worlds to learn from: more are needed")
    bound = [feature.monotone for feature in FEATURES] + [0] * (rows.shape[1] - READ)
    parameters = PARAMETERS | {
        "eta": ETA,
        "seed": choice.seed,
        "nthread": choice.jobs,
        "monotone_constraints": "(" + ",".join(map(str, bound)) + ")",
    }
    matrix = xgboost.QuantileDMatrix(np.ascontiguousarray(rows), labels, max_bin=PARAMETERS["max_bin"])
    return bytes(xgboost.train(parameters, matrix, num_boost_round=TREES).save_raw("ubj"))


def _margins(content: bytes, rows: Rows) -> NDArray[np.float64]:
    """Log-odds (n,), by one thread: there are processes beside this one."""
    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    booster.set_param({"nthread": 1})
    return np.asarray(booster.inplace_predict(np.ascontiguousarray(rows), predict_type="margin"), dtype=np.float64)


def _asked(choice: Choice, boosters: Sequence[bytes], number: int) -> tuple[System, list[Scores]]:
    """A validation world, and what each booster says of it, (E, N)."""
    world = plan("validation", number, choice.seed, choice.days)
    system = as_system(generate(world))
    said = [np.full(system.of("requests").shape, np.nan, dtype=np.float32) for _ in boosters]
    for minutes, block in _known(world, system):
        flat = block.reshape(-1, block.shape[2])
        for booster, width, into in zip(boosters, LEVELS.values(), said, strict=True):
            into[:, minutes] = _margins(booster, flat[:, :width]).reshape(block.shape[:2])
    return system, said


def _level(known: str, exam: Exam, said: Sequence[Scores]) -> Level:
    if not exam.counted.any():
        raise ValueError("nothing failed in the worlds to judge by: more are needed")
    scores = exam.answers([each.astype(np.float64) for each in said])
    tried = sweep(exam, scores)
    recall = []
    for budget in BUDGETS:
        within = tried.thresholds == threshold_for(tried, budget)
        recall.append(float(tried.recall[within][0]) if within.any() else 0.0)
    return Level(known, average_precision(exam.label, scores), tuple(recall))


def table(found: Found) -> str:
    """Markdown."""
    heads = ["known", "PR-AUC", *(f"recall at exactly {budget:g}" for budget in BUDGETS)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for level in found.levels:
        numbers = [f"{level.pr_auc:.3f}", *(f"{recall:.2f}" for recall in level.recall)]
        lines.append(f"| {' | '.join([level.known, *numbers])} |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench known", description=__doc__)
    parser.add_argument("--worlds", type=int, default=Choice.worlds, help="companies to learn from")
    parser.add_argument("--choosing", type=int, default=Choice.choosing, help="validation companies to judge by")
    parser.add_argument("--seed", type=int, default=Choice.seed)
    parser.add_argument("--jobs", type=int, default=Choice.jobs, help="processes")
    choice = Choice(**vars(parser.parse_args(argv)))
    found = measure(choice)
    print(f"{table(found)}\n\n{note(choice, found)}")
    return finish("known", outcome(choice, found))


def note(choice: Choice, found: Found) -> str:
    """What the table's numbers are of."""
    return (
        f"{found.failures:,} failures in {choice.choosing} companies of {choice.days:g} days, asked "
        f"{HORIZON_S // 60} minutes ahead; a random score has PR-AUC {found.base_rate:.4f}. Recall at exactly so many "
        f"false alarms per API and day. {TREES} trees at eta {ETA:g}, else as foregate's, from {found.moments:,} "
        f"moments of {choice.worlds} others."
    )


def outcome(choice: Choice, found: Found) -> Outcome:
    """There is no goal: it tells what a goal may be. Too few failures are no figure."""
    few = f"{found.failures} failures are too few to tell one row from the next"
    return Outcome(
        facts={**asdict(choice), "trees": TREES, "eta": ETA, **asdict(found)},
        invalid=[few] if found.failures < FAILURES_MIN else [],
    )
