"""The bundled model: learned on worlds of the lab, judged once on others."""

import hashlib
import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from foregate.app.evaluation import Step, dealt_out, judge_lab, lab_contenders, lab_systems
from foregate.app.training.tools import ModelTools
from foregate.lab.minutes import PARTS
from foregate.predict.evaluate.system import System
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION
from foregate.predict.models.card import (
    Card,
    HorizonCard,
    LearnedFrom,
    encode_card,
    foreseeable,
    render,
)
from foregate.predict.models.model import HORIZONS_S, MODEL_FILE
from foregate.predict.registry.shift import Reference, encode_reference
from foregate.predict.train import Fitted, fit

REFERENCE_FILE = "reference.json"
Bar = Callable[[str], AbstractContextManager[Step]]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Companies:
    """How many worlds to learn from, to choose by and of each part to be judged on, and how many days of each."""

    learn: int
    choose: int
    judge: int
    days: float
    seed: int


@dataclass(frozen=True, slots=True)
class Made:
    """A model with its card."""

    fitted: Fitted
    reference: Reference
    card: Card

    def write(self, folder: Path) -> str:
        """Into a folder; returns the card for people. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_FILE).write_bytes(self.fitted.content)
        (folder / REFERENCE_FILE).write_bytes(encode_reference(self.reference))
        (folder / "card.json").write_bytes(encode_card(self.card))
        text = render(self.card)
        (folder / "card.md").write_text(text, encoding="utf-8")
        return text


def make(of: Companies, *, command: str, jobs: int, bar: Bar) -> Made:
    """Generate, learn, choose, judge. The same arguments give the same bytes. Raises ValueError."""
    parts: dict[str, list[System]] = {}
    for part in PARTS:
        number = {"train": of.learn, "validation": of.choose}.get(part, of.judge)
        with bar(f"{part} worlds") as step:
            parts[part] = lab_systems(part, number, of.days, of.seed, jobs=jobs, step=step)
    with bar("learning") as step:
        each = partial(_each, jobs)
        fitted = fit(parts["train"], parts["validation"], seed=of.seed, threads=jobs, each=each, step=step)
    with bar("scoring") as step:
        models = lab_contenders(fitted.content, parts, HORIZONS_S, jobs=jobs, step=step)
    with bar("judging") as step:
        report = judge_lab(parts, models, horizons_s=HORIZONS_S, seed=of.seed, step=step)
    card = Card(
        model_version=fitted.model.version,
        sha256=hashlib.sha256(fitted.content).hexdigest(),
        bytes=len(fitted.content),
        feature_version=FEATURE_VERSION,
        features=FEATURE_NAMES,
        horizons=tuple(HorizonCard(h.horizon_s, h.trees, h.curve) for h in fitted.model.header.horizons),
        seed=of.seed,
        learned=_from(parts["train"], of.days, fitted.moments, fitted.failing),
        chosen=_from(parts["validation"], of.days, 0, 0.0),
        shuffled=(fitted.random_labels.pr_auc, fitted.random_labels.base_rate),
        foreseeable=foreseeable(report),
        command=command,
        versions=_versions(),
        report=report,
        random_labels=fitted.random_labels,
    )
    return Made(fitted, ModelTools().reference(fitted.content, parts["validation"]), card)


def _each(jobs: int, work: Callable[[T], R], items: Sequence[T]) -> Iterable[R]:
    return dealt_out(work, items, jobs, lambda done, total: None)


def _from(systems: list[System], days: float, moments: int, failing: float) -> LearnedFrom:
    apis = sum(len(system.entities) for system in systems)
    return LearnedFrom(len(systems), apis, apis * days, moments, failing)


def _versions() -> dict[str, str]:
    import sklearn
    import xgboost

    return {
        "python": platform.python_version(),
        "xgboost": xgboost.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }
