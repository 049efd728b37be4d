"""Builders for predict tests: windows, ticks and stretches of traffic with a shape."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import xgboost

from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION, Frame
from foregate.predict.models.calibration import Calibration
from foregate.predict.models.model import HORIZONS_S, Header, Horizon, Model, decode_model, encode_model
from foregate.predict.moments import live_frame
from foregate.predict.panel import Panel
from foregate.wire.entity import Entity
from foregate.wire.minutes import row_of
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
    curve: tuple[tuple[float, float], ...] = ((0.1, 0.9), (0.5, 0.8), (2.0, 0.5)),
) -> bytes:
    rng = np.random.default_rng(seed)
    rows = rng.uniform(0, 6, (600, len(FEATURE_NAMES))).astype(np.float32)
    labels = (rows[:, FEATURE_NAMES.index(feature)] > 3).astype(float)
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 2, "seed": seed, "nthread": 1},
        xgboost.DMatrix(rows, labels),
        num_boost_round=30,
    )
    raw = bytes(booster.save_raw("ubj"))
    horizons = tuple(Horizon(horizon_s, len(raw), 30, calibration, curve) for horizon_s in HORIZONS_S)
    return encode_model([raw] * len(horizons), Header(feature_version, FEATURE_NAMES, horizons))


def panel_of(closed: Iterable[tuple[Entity, WindowStats]], panel: Panel | None = None) -> Panel:
    """A panel that has learned these minutes, in their order."""
    panel = panel or Panel()
    for entity, minute in closed:
        panel.learn(minute.start_s, {entity: row_of(minute)})
        panel.renew(minute.start_s + 60)
    return panel


def frame_of(tick_: Tick, panel: Panel) -> Frame:
    """The one moment of a tick."""
    return live_frame(panel, [tick_.entity], tick_.time_s, np.array([row_of(tick_.w1)], dtype=np.float32))
