"""Chance for arrays: streams that do not disturb one another, wandering levels, tails of log-normal times."""

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def stream(seed: int, *names: object) -> np.random.Generator:
    """A generator for one purpose; adding a purpose changes no other."""
    return np.random.default_rng(
        [seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF, crc32("/".join(map(str, names)).encode())]
    )


def wander(rng: np.random.Generator, rows: int, steps: int, keeps: float) -> Array:
    """AR(1) of unit deviation, shape (rows, steps): `keeps` of a deviation is left after a step."""
    kicks = rng.standard_normal((steps, rows)) * (1.0 - keeps**2) ** 0.5
    out = np.empty((steps, rows))
    level = rng.standard_normal(rows)
    for step in range(steps):
        level = keeps * level + kicks[step]
        out[step] = level
    return np.ascontiguousarray(out.T)


def normal_cdf(z: Array) -> Array:
    """Φ by a logistic of a cubic; absolute error below 2e-4 (Page, "Approximations to the cumulative normal", 1977)."""
    z = np.clip(z, -8.0, 8.0)
    out: Array = 1.0 / (1.0 + np.exp(-(1.5976 * z + 0.07056 * z * z * z)))
    return out


def normal_above(share: Array) -> Array:
    """What a normal variate exceeds with the chance `share` ≤ 1/2 (Hastings, 1955); absolute error below 5e-4."""
    t = np.sqrt(-2.0 * np.log(share))
    over = 2.515517 + t * (0.802853 + t * 0.010328)
    under = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    out: Array = t - over / under
    return out


def beyond(mean: Array, cv2: Array, limit: Array | float) -> Array:
    """Share of log-normal times of this mean and squared coefficient of variation that exceed `limit`."""
    sigma2 = np.log1p(cv2)
    return normal_cdf((np.log(mean / limit) - sigma2 / 2) / np.sqrt(sigma2))
