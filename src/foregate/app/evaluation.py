"""Recordings, the lab's worlds and the model joined with the protocol, which knows none of them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from foregate.adapters.embedded.recorded import read_recorded
from foregate.adapters.embedded.recorded.write import Written
from foregate.lab.minutes import Part as WorldPart
from foregate.lab.minutes import Telemetry, generate, plan
from foregate.predict.evaluate.contenders import (
    Contender,
    folded_contenders,
    learned_contenders,
    simple_contenders,
)
from foregate.predict.evaluate.judge import Part, evaluate
from foregate.predict.evaluate.results import Report
from foregate.predict.evaluate.system import System
from foregate.predict.failures import HORIZON_S
from foregate.predict.models.model import Model, decode_model
from foregate.predict.models.scorer import Answers, probabilities

K = TypeVar("K")
T = TypeVar("T")
Step = Callable[[int, int], None]
MODEL_NAME = "foregate"  # among the scores of a report
ALERTING_NAME = "foregate, own budget"  # the same scores, with thresholds as alerts have them


def as_system(of: Written) -> System:
    """What was recorded or generated, as the protocol takes it."""
    return System(of.name, of.start_s, of.entities, of.minutes, of.calls, of.faults)


def recorded_systems(files: Sequence[Path]) -> list[System]:
    """Raises BadRecording, FileNotFoundError."""
    return [as_system(each) for each in read_recorded(files)]


def lab_systems(part: WorldPart, worlds: int, days: float, seed: int, *, jobs: int = 1, step: Step) -> list[System]:
    """Worlds 0 … of a part of the lab, in the order of their numbers whatever order they were finished in."""
    return [as_system(each) for each in dealt_out(partial(_world, part, seed, days), range(worlds), jobs, step)]


def dealt_out(work: Callable[[K], T], items: Sequence[K], jobs: int, step: Step) -> Iterator[T]:
    """The results in the order of the items, made by so many processes; with one job, here."""
    total = len(items)
    if jobs == 1:
        for done, item in enumerate(items):
            step(done, total)
            yield work(item)
        step(total, total)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done, found in enumerate(pool.map(work, items), start=1):
            step(done, total)
            yield found


def _world(part: WorldPart, seed: int, days: float, number: int) -> Telemetry:
    return generate(plan(part, number, seed, days))


def judge_recorded(
    systems: Sequence[System],
    learn: Sequence[System],
    models: Sequence[Contender],
    *,
    horizons_s: Sequence[int],
    seed: int,
    step: Step,
) -> Report:
    """Recorded systems: thresholds, and what the learned baselines know, come from `learn`, else from each other.

    Of `learn`, one in three systems chooses thresholds; a single one does both, which flatters what learned from it in
    the choosing alone. Raises LooksAhead, ValueError.
    """
    both = {each.name for each in systems} & {each.name for each in learn}
    if both:
        raise ValueError(f"system {min(both)} is to be judged, so nothing may be learned from it: rename or remove it")
    choosing = list(learn[::3])
    fitting = [each for i, each in enumerate(learn) if i % 3] or choosing

    def learned(horizon_s: int) -> list[Contender]:
        if learn:
            return learned_contenders(fitting, horizon_s, seed)
        return folded_contenders(systems, horizon_s, seed)

    contenders, notes = _with_learned(models, learned, horizons_s)
    report = evaluate(
        contenders,
        [Part("recorded", systems)],
        validation=Part("learn", choosing) if learn else None,
        horizons_s=horizons_s,
        seed=seed,
        title="Recorded telemetry",
        step=step,
    )
    return msgspec.structs.replace(report, notes=notes)


def lab_contenders(
    content: bytes, parts: dict[str, list[System]], horizons_s: Sequence[int], *, jobs: int, step: Step
) -> list[Contender]:
    """A model that was asked, in so many processes, about all worlds that `judge_lab` will ask it about."""
    asked = [system for part, systems in parts.items() if part != "train" for system in systems]
    answers = answers_ahead(content, asked, jobs=jobs, step=step)
    return contenders_of(decode_model(content), horizons_s, answers)


def judge_lab(
    parts: dict[str, list[System]],
    models: Sequence[Contender],
    *,
    horizons_s: Sequence[int],
    seed: int,
    step: Step,
) -> Report:
    """Worlds of the lab: baselines learn on "train", thresholds come from "validation", the other parts are judged."""
    contenders, notes = _with_learned(models, lambda h: learned_contenders(parts["train"], h, seed), horizons_s)
    report = evaluate(
        contenders,
        [Part(name, systems) for name, systems in parts.items() if name not in ("train", "validation")],
        validation=Part("validation", parts["validation"]),
        horizons_s=horizons_s,
        seed=seed,
        title="Worlds of the lab",
        step=step,
    )
    return msgspec.structs.replace(report, notes=notes)


def _with_learned(
    models: Sequence[Contender], learned: Callable[[int], list[Contender]], horizons_s: Sequence[int]
) -> tuple[list[Contender], tuple[str, ...]]:
    """All contenders, and a note for each horizon at which nothing could be learned."""
    contenders, notes = [*models, *simple_contenders()], []
    for horizon_s in horizons_s:
        try:
            contenders += learned(horizon_s)
        except ValueError as error:
            notes.append(f"{horizon_s // 60} min: no logistic regression and no XGBoost beside it: {error}")
    return contenders, tuple(notes)


def model_contenders(model: Path | None, horizons_s: Sequence[int]) -> list[Contender]:
    """The model at each of the horizons; the bundled one when no file is given.

    Raises ModelError; ValueError for a horizon that it has not learned.
    """
    return contenders_of(decode_model(model_content(model, horizons_s)), horizons_s)


def model_content(model: Path | None, horizons_s: Sequence[int]) -> bytes:
    """A model's file, for processes that are to ask it; the bundled one when none is given. Raises as above."""
    from foregate.predict import bundled_path, load_model

    path = model or bundled_path()
    loaded = load_model(path)
    known = [each.horizon_s for each in loaded.header.horizons]
    unknown = [horizon_s for horizon_s in horizons_s if horizon_s not in known]
    if unknown:
        raise ValueError(
            f"the model answers for {_minutes(known)} minutes, not for {_minutes(unknown)}: "
            "ask for one of these, or judge the simple scores alone with --no-model"
        )
    return path.read_bytes()


def contenders_of(model: Model, horizons_s: Sequence[int], answers: Answers | None = None) -> list[Contender]:
    """A model at each of the horizons, and as it alerts. `answers`: its own, where some were asked for ahead."""
    answers = answers or Answers(model)
    contenders = [
        Contender(MODEL_NAME, answers.at(each), baseline=False, probability=True, horizon_s=each) for each in horizons_s
    ]
    if HORIZON_S in horizons_s:
        contenders.append(
            Contender(ALERTING_NAME, answers.at(HORIZON_S), False, True, horizon_s=HORIZON_S, own_budget=True)
        )
    return contenders


def answers_ahead(content: bytes, systems: Sequence[System], *, jobs: int, step: Step) -> Answers:
    """A model asked about systems in so many processes, as it will be when it is judged. Raises ModelError."""
    answers = Answers(decode_model(content))
    shown = [replace(system, faults=()) for system in systems]
    for system, said in zip(shown, dealt_out(partial(_said, content), shown, jobs, step), strict=True):
        answers.remember(system, said)
    return answers


def _said(content: bytes, system: System) -> NDArray[np.float64]:
    return probabilities(decode_model(content), system)


def _minutes(horizons_s: Sequence[int]) -> str:
    return ", ".join(str(horizon_s // 60) for horizon_s in horizons_s)
