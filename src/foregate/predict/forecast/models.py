"""Models of a series. The simple ones need nothing, and are what every other one has to beat."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from foregate.predict.forecast.series import Floats

_SEASONS_MAX = 4  # that a seasonal mean looks back


class Model(NamedTuple):
    """`predict(values, horizon)`: the next `horizon` values after a gapless past of at least `steps_min`.

    It may raise ValueError or ArithmeticError for a past that it can do nothing with; then it is out.
    """

    name: str
    steps_min: int
    predict: Callable[[Floats, int], Floats]


def simple_models(season: int) -> tuple[Model, ...]:
    """Seasonal naive, naive, and the mean of the last seasons."""
    return (
        Model("seasonal_naive", season, lambda values, horizon: seasonal_naive(values, horizon, season)),
        Model("naive", 1, naive),
        Model("seasonal_mean", 2 * season, lambda values, horizon: seasonal_mean(values, horizon, season)),
    )


def naive(values: Floats, horizon: int) -> Floats:
    """It stays as it was last."""
    return np.full(horizon, values[-1])


def seasonal_naive(values: Floats, horizon: int, season: int) -> Floats:
    """It becomes what it was a season ago."""
    return np.resize(values[-season:], horizon)


def seasonal_mean(values: Floats, horizon: int, season: int) -> Floats:
    """It becomes what it was on average at this place of the last seasons, up to four."""
    seasons = min(_SEASONS_MAX, len(values) // season)
    mean: Floats = values[-seasons * season :].reshape(seasons, season).mean(axis=0)
    return np.resize(mean, horizon)
