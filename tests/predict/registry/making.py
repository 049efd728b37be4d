"""Systems whose failures announce themselves, or do not, and scores that know of it."""

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.system import COLUMN, System
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS

START_S = 1_700_006_400.0  # a midnight (UTC)


def system(
    entities: int = 12, days: float = 4.0, *, seed: int = 0, failures_a_day: float = 1.0, warned: float = 1.0
) -> System:
    """Calm traffic in which APIs fail for five minutes now and then; before the share `warned` of these the p95 grows
    for twelve minutes."""
    rng = np.random.default_rng(seed)
    minutes = int(days * 1_440)
    table = np.full((entities, len(COLUMNS), minutes), np.nan, dtype=np.float32)
    table[:, COLUMN["requests"]] = rng.poisson(200, (entities, minutes))
    for name in ("errors", "timeouts", "retries", "limited"):
        table[:, COLUMN[name]] = 0.0
    p95 = 100 * np.exp(rng.normal(0, 0.05, (entities, minutes)))
    for entity in range(entities):
        for onset in np.flatnonzero(rng.random(minutes) < failures_a_day / 1_440):
            table[entity, COLUMN["errors"], onset : onset + 5] = 60
            if rng.random() < warned and onset > 12:
                p95[entity, onset - 12 : onset] *= np.linspace(1.6, 4.0, 12)
    table[:, COLUMN["p95_ms"]] = p95
    table[:, COLUMN["inflight_max"]] = 3.0
    names = tuple(Entity("shop", f"s{i}", f"/r{i}", "production") for i in range(entities))
    return System("shop", START_S, names, table)


def knowing(of: System) -> NDArray[np.float64]:
    """A score that sees the growth: p95 over its median."""
    p95 = of.of("p95_ms").astype(np.float64)
    return np.asarray(p95 / np.nanmedian(p95, axis=1, keepdims=True), dtype=np.float64)


def blind(of: System, seed: int = 0) -> NDArray[np.float64]:
    """A score that knows nothing."""
    return np.random.default_rng(seed).random((len(of.entities), of.minutes.shape[2]))
