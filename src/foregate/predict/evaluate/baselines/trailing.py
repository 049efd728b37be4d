"""Sums, means and slopes of the minutes up to each one, NaN-safe: (E, N) → (E, N)."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Values = NDArray[np.floating]


def trailing_sum(values: Values, minutes: int) -> Floats:
    """Σ of the last `minutes` values, what was not recorded counting 0."""
    sums = np.cumsum(np.nan_to_num(values.astype(np.float64)), axis=1)
    trailing: Floats = sums.copy()
    trailing[:, minutes:] -= sums[:, :-minutes]
    return trailing


def trailing_mean(values: Values, minutes: int) -> Floats:
    """Mean of what was recorded in the last `minutes`; NaN where nothing was."""
    return ratio(trailing_sum(values, minutes), trailing_sum(~np.isnan(values), minutes))


def ratio(over: Floats, under: Floats) -> Floats:
    """over / under, NaN where there is nothing under it."""
    quotient: Floats = np.divide(over, under, out=np.full(over.shape, np.nan), where=under > 0.5)
    return quotient


def late(values: Floats, minutes: int) -> Floats:
    """The values as they were `minutes` ago; NaN before there were any."""
    shifted = np.full_like(values, np.nan)
    shifted[:, minutes:] = values[:, : values.shape[1] - minutes]
    return shifted


def slope(values: Values, minutes: int) -> Floats:
    """Least-squares slope per minute over the last `minutes`; NaN below three recorded ones."""
    minute = np.broadcast_to(np.arange(values.shape[1], dtype=np.float64), values.shape)
    known = ~np.isnan(values)
    n = trailing_sum(known, minutes)
    x = trailing_sum(np.where(known, minute, 0.0), minutes)
    xx = trailing_sum(np.where(known, minute * minute, 0.0), minutes)
    y = trailing_sum(values, minutes)
    xy = trailing_sum(values * minute, minutes)
    spread = n * xx - x * x
    steep: Floats = np.divide(
        n * xy - x * y, spread, out=np.full(values.shape, np.nan), where=(n >= 3) & (spread > 0.5)
    )
    return steep
