"""Made traffic of many APIs for `bench.predict`: closed minutes, ticks, and a model as large as one is ever trained."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict import Analyst, Model
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION, FEATURES
from foregate.predict.models.calibration import Calibration
from foregate.predict.models.library import xgboost
from foregate.predict.models.model import HORIZONS_S, Header, Horizon, decode_model, encode_model
from foregate.predict.season import QUARTER_S
from foregate.wire.entity import Entity
from foregate.wire.minutes import SIGNALS
from foregate.wire.window import Tick, WindowStats

T0: Final = 1_700_006_400.0  # a whole quarter of an hour, so that the dearest minute is among the first sixteen
ORGS: Final = 20
ROUTES: Final = 5  # of a service
GROWING: Final = 0.02  # share of the APIs whose latency and errors grow from minute to minute while it is measured
GROWTH: Final = 0.04  # of these, a minute
DEPTH: Final = 5
_SAMPLE: Final = 20_000
Numbers = NDArray[np.float64]


class World:
    """`count` APIs, each with a level of its own. The same seed gives the same minutes."""

    def __init__(self, count: int, seed: int = 1) -> None:
        self._rng = np.random.default_rng(seed)
        self.entities = [
            Entity(f"org{i % ORGS}", f"service{i // ORGS // ROUTES}", f"/route/{i}", "live") for i in range(count)
        ]
        services = sorted({(e.org, e.service) for e in self.entities})
        pairs = pairwise(services)
        self.calls = {(org, "live", one, other) for (org, one), (of, other) in pairs if org == of}
        self._requests = np.exp(self._rng.uniform(np.log(30), np.log(3_000), count))  # a minute
        self._p50_ms = np.exp(self._rng.uniform(np.log(10), np.log(400), count))
        self._growing = self._rng.random(count) < GROWING

    def minute(self, start_s: float, span_s: int = 60) -> list[tuple[Entity, WindowStats]]:
        """The window of each that began at `start_s`."""
        return list(zip(self.entities, self.windows(start_s, span_s), strict=True))

    def windows(self, start_s: float, span_s: int) -> list[WindowStats]:
        n, grown = len(self.entities), 1 + self._growing * max(0.0, (start_s - T0) / 60 * GROWTH)
        requests = self._rng.poisson(self._requests * span_s / 60)
        errors = self._rng.binomial(requests, np.minimum(0.002 * grown**3, 0.04))
        p50 = self._p50_ms * grown * self._rng.lognormal(0, 0.08, n)
        timeouts, retries = errors // 3, self._rng.binomial(requests, 0.003)
        inflight = np.maximum(1, (requests / span_s * p50 / 250)).astype(np.int64)
        return [
            WindowStats(
                start_s, span_s, number, failed, late, number // 50, 0, 0, again, 900 * number, 9_000 * number,
                busy, 1.2 * half, half, 3 * half, 5 * half, 1.15 * half, 2.4 * half, 6 * half, 7 * half,
                0, number, number * 300,
            )
            for number, failed, late, again, busy, half in zip(
                requests.tolist(), errors.tolist(), timeouts.tolist(), retries.tolist(), inflight.tolist(),
                p50.tolist(), strict=True,
            )
        ]  # fmt: skip

    def ticks(self, time_s: float) -> list[Tick]:
        """The hopping windows of each at one moment."""
        w1, w5, w15 = (self.windows(time_s - span_s, span_s) for span_s in (60, 300, 900))
        return [Tick(time_s, e, a, b, c, 15.0) for e, a, b, c in zip(self.entities, w1, w5, w15, strict=True)]

    def beside(self) -> dict[Entity, dict[str, float]]:
        """What stands beside the windows: what is left of everything, the certificate and the time limit of each."""
        stocks = [name for name in SIGNALS if name.endswith("_left")]
        left = self._rng.uniform(0.6, 0.65, (len(self.entities), len(stocks))).tolist()  # none runs out
        return {
            e: {**dict(zip(stocks, of, strict=True)), "cert_left_s": 8e6, "time_limit_ms": 2e3}
            for e, of in zip(self.entities, left, strict=True)
        }

    def live(self, analyst: Analyst, days: float, minutes: int) -> Iterator[str]:
        """Let the analyst know these days by the quarter of an hour, and the last minutes before T0, one by one."""
        for back in range(round(days * 86_400 / QUARTER_S), 0, -1):
            start_s = T0 - back * QUARTER_S
            analyst.learn_quarters(start_s, self.minute(start_s, QUARTER_S))
        yield "quarters"
        for back in range(minutes, 0, -1):
            analyst.learn(self.minute(T0 - 60 * back), self.beside() if back <= 60 else None)
            yield f"minute {minutes - back + 1}"


def large_model(trees: int, seed: int = 1) -> Model:
    """As many trees per horizon as asked, each as deep as a trained one may be, from random rows: it foresees nothing.

    Rows are spread over what features may be, so that the trees heed many of them and few leaves stay empty.
    """
    rng = np.random.default_rng(seed)
    rows = np.abs(rng.standard_t(3, (_SAMPLE, len(FEATURES)))).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    pull = np.nan_to_num(rows) @ rng.normal(size=len(FEATURES))
    labels = pull + rng.normal(0, 10, _SAMPLE) > np.quantile(pull, 0.95)
    settings: dict[str, Any] = {
        "objective": "binary:logistic", "max_depth": DEPTH, "eta": 0.05, "seed": seed, "nthread": 1,
        "tree_method": "hist", "min_child_weight": 0,
    }  # fmt: skip
    booster = xgboost.train(settings, xgboost.QuantileDMatrix(rows, labels), num_boost_round=trees)
    raw = bytes(booster.save_raw("ubj"))
    curve = ((0.1, 0.98), (0.5, 0.95), (2.0, 0.9))
    horizons = tuple(Horizon(seconds, len(raw), trees, Calibration(1.0, 0.0), curve) for seconds in HORIZONS_S)
    return decode_model(encode_model([raw] * len(horizons), Header(FEATURE_VERSION, FEATURE_NAMES, horizons)))
