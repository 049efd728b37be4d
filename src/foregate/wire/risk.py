"""How likely an entity is to fail soon, and why."""

from typing import Literal

import msgspec

from foregate.wire.entity import Entity

RiskState = Literal[
    "learning",  # too little history: no score
    "scored",
    "failing",  # it fails already: nothing left to foresee
    "quiet",  # no traffic to judge
]


class Contribution(msgspec.Struct, frozen=True):
    """One feature's exact SHAP share of a score.

    `shap` is in log-odds (positive raises the risk); `sentence` says it in words with the value and what is usual.
    """

    feature: str
    value: float
    shap: float
    sentence: str


class HorizonScore(msgspec.Struct, array_like=True, frozen=True):
    """The probability of a failure within `horizon_s`, and the score from which an alert would be raised."""

    horizon_s: int
    score: float
    threshold: float


class Risk(msgspec.Struct, frozen=True):
    """The verdict on one entity at one tick. `score` is a probability, None unless `state` is "scored".

    `horizons`: the same question for 5, 15 and 60 minutes. `baselines`: what the simple scores say, by name, in their
    own units: beside every prediction, so that nobody has to believe it. `note` says what the verdict lacks.

    A risk older than `stale_after_s` must be shown as stale: a silent predictor is not a healthy API.
    """

    time_s: float
    entity: Entity
    state: RiskState
    score: float | None
    horizon_s: int
    model_version: str
    minutes_seen: float
    minutes_needed: float
    contributions: tuple[Contribution, ...] = ()
    stale_after_s: float = 60.0
    horizons: tuple[HorizonScore, ...] = ()
    baselines: dict[str, float] = {}
    note: str = ""  # e.g. "learning: 3 of 24 h"
