"""From what a model answers to a verdict for people: horizons, reasons, baselines, and what it lacks."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foregate.predict.explain import contributions
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES, Frame
from foregate.predict.usual import REFERENCE_MINUTES_MIN, Floats
from foregate.wire.entity import Entity
from foregate.wire.risk import HorizonScore, Risk, RiskState

DAY_H: Final = 24.0
NO_MODEL: Final = "off"  # the model version of risks that are made without a model: they are never scored
_BASELINES: Final = {
    "persistence (error rate)": FEATURE_NAMES.index("error_rate_1m"),
    "robust z (p95)": FEATURE_NAMES.index("p95_z"),
    "p95 in 15 minutes by its trend (× usual)": FEATURE_NAMES.index("p95_ahead_15m"),
}


class Seen(NamedTuple):
    """How much of an entity's past is known: minutes of the last four hours to compare with, and for how many hours
    something has been known of it, at most a day."""

    minutes: int
    hours: float


class Answer(NamedTuple):
    """A model's answer about one moment: `probability` (horizons,); `shap` (F+1,) where it was explained."""

    probability: list[float]
    horizons_s: tuple[int, ...]
    thresholds: tuple[float, ...]
    shap: NDArray[np.float64] | None
    version: str


def scored(entity: Entity, time_s: float, answer: Answer, frame: Frame, i: int, row: Floats, seen: Seen) -> Risk:
    """The verdict on moment `i` of a frame, whose features are `row`."""
    alerting = answer.horizons_s.index(HORIZON_S)
    return Risk(
        time_s=time_s,
        entity=entity,
        state="scored",
        score=answer.probability[alerting],
        horizon_s=HORIZON_S,
        model_version=answer.version,
        minutes_seen=float(seen.minutes),
        minutes_needed=float(REFERENCE_MINUTES_MIN),
        contributions=contributions(frame, i, answer.shap, row) if answer.shap is not None else (),
        horizons=tuple(map(HorizonScore, answer.horizons_s, answer.probability, answer.thresholds)),
        baselines=_baselines(row),
        note=_note(seen),
    )


def unscored(entity: Entity, time_s: float, state: RiskState, version: str, seen: Seen) -> Risk:
    """The verdict on one that cannot be scored, and why."""
    note = ""
    if state == "learning":
        lacks = f"learning: {seen.minutes} of {REFERENCE_MINUTES_MIN} min"
        enough = seen.minutes >= REFERENCE_MINUTES_MIN
        note = "no model: nothing is foretold" if enough and version == NO_MODEL else lacks
    return Risk(
        time_s=time_s,
        entity=entity,
        state=state,
        score=None,
        horizon_s=HORIZON_S,
        model_version=version,
        minutes_seen=float(seen.minutes),
        minutes_needed=float(REFERENCE_MINUTES_MIN),
        note=note,
    )


def _baselines(row: Floats) -> dict[str, float]:
    return {name: float(row[at]) for name, at in _BASELINES.items() if not np.isnan(row[at])}


def _note(seen: Seen) -> str:
    if seen.hours >= DAY_H:
        return ""
    return f"learning: {int(seen.hours)} of {DAY_H:.0f} h: what is usual at this time of day is not known yet"
