"""Builders for predict tests: windows, ticks and stretches of traffic with a shape."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xgboost

from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION
from foregate.predict.models.calibration import Calibration
from foregate.predict.models.model import Header, Model, decode_model, encode_model
from foregate.wire.entity import Entity
from foregate.wire.window import Tick, WindowStats

PAY = Entity("demo", "payments", "/pay", "test")
AS_IT_IS = Calibration(1.0, 0.0)
T0 = 1_700_000_040.0  # a whole minute


@dataclass(frozen=True)
class Shape:
    """Traffic at minute `m` of a run: requests per minute, p50 in ms, share of errors."""

    requests: Callable[[float], float] = lambda m: 300.0
    p50_ms: Callable[[float], float] = lambda m: 50.0
    error_share: Callable[[float], float] = lambda m: 0.0


def window(start_s: float, span_s: int, shape: Shape, rng: random.Random | None = None) -> WindowStats:
    """The window of a shape, with 3 % of noise when `rng` is given."""
    m = (start_s + span_s / 2 - T0) / 60
    noise = (lambda: rng.gauss(1, 0.03)) if rng else (lambda: 1.0)
    requests = max(0, round(shape.requests(m) * span_s / 60 * noise()))
    p50 = shape.p50_ms(m) * noise()
    return WindowStats(
        start_s=start_s,
        span_s=span_s,
        requests=requests,
        errors=round(requests * shape.error_share(m)),
        inflight_max=max(1, round(requests / span_s * p50 / 1000 * 3)) if requests else 0,
        mean_ms=1.2 * p50,
        p50_ms=p50,
        p95_ms=3 * p50 * noise(),
        p99_ms=5 * p50 * noise(),
        upstream_mean_ms=1.15 * p50,
    )


def tick(time_s: float, shape: Shape, rng: random.Random | None = None, entity: Entity = PAY) -> Tick:
    seen = min((time_s - T0) / 60, 15.0)
    w1, w5, w15 = (window(time_s - span, span, shape, rng) for span in (60, 300, 900))
    return Tick(time_s, entity, w1, w5, w15, seen)


def minutes(count: int, shape: Shape, rng: random.Random | None = None, entity: Entity = PAY, start_s: float = T0):
    """`count` closed minutes from `start_s`."""
    return [(entity, window(start_s + 60 * i, 60, shape, rng)) for i in range(count)]


def toy_model(feature: str = "p95_ratio", *, seed: int = 1) -> Model:
    """A small real model that learned: the higher `feature`, the likelier a failure (certain above 3)."""
    return decode_model(toy_content(feature, seed=seed))


def toy_content(
    feature: str = "p95_ratio",
    *,
    seed: int = 1,
    feature_version: str = FEATURE_VERSION,
    calibration: Calibration = AS_IT_IS,
) -> bytes:
    rng = np.random.default_rng(seed)
    rows = rng.uniform(0, 6, (600, len(FEATURE_NAMES)))
    labels = (rows[:, FEATURE_NAMES.index(feature)] > 3).astype(float)
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 2, "seed": seed, "nthread": 1},
        xgboost.DMatrix(rows, labels),
        num_boost_round=30,
    )
    header = Header(feature_version, FEATURE_NAMES, calibration, HORIZON_S, 0.5)
    return encode_model(booster, header)
