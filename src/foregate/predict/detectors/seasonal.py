"""Seasonal residual: the distance from what is usual at this time of the day or of the week."""

from __future__ import annotations

from typing import Final

import numpy as np

from foregate.predict.detectors.detector import clean, ratio
from foregate.predict.detectors.slots import Floats, Index, Slots, State

DAY_S: Final = 86_400.0
WEEK_S: Final = 7 * DAY_S
DAY_BINS: Final = 96  # a quarter of an hour each
WEEK_BINS: Final = 168  # an hour each
LEVEL: Final = 0.01  # weight of the newest value in the level without season, and in the errors
PROFILE: Final = 0.25  # least weight of a new value in its bin, spread over the samples that fall into it
BOUND: Final = 4.0  # deviations: what is further away teaches no more than that
FLOOR: Final = 0.02  # of the expected value: a smaller deviation is no news
LEARNING: Final = 24  # values before the first score


class Seasonal(Slots):
    """|x − expected| / mean absolute error, the expected value being the best of three: level, day, week.

    Which of them is used is found per series: a profile may speak once it has been filled (two days, two weeks) and its
    mean error is below the level's. Its bins follow from `step_s`, the seconds between two values. Huber's bound on
    each error keeps an anomaly from teaching what is usual.
    """

    scale_free = True

    def __init__(self, size: int, step_s: float) -> None:
        super().__init__(size)
        bins = [min(most, round(period / step_s)) for period, most in ((DAY_S, DAY_BINS), (WEEK_S, WEEK_BINS))]
        self._periods = [period / step_s for period in (DAY_S, WEEK_S)]
        self._per_bin = [period / max(n, 1) for period, n in zip(self._periods, bins, strict=True)]
        self.age = self._counts("age")  # steps since the first value, gaps included
        self.seen = self._counts("seen")
        self.level = self._floats("level")
        self.day = self._floats("day", max(bins[0], 1))
        self.week = self._floats("week", max(bins[1], 1))
        self.errors = self._floats("errors", 3)  # mean absolute error of level, day, week

    def score(self, values: Floats) -> Floats:
        """The distance from the best forecast, in its usual errors."""
        forecasts = self._forecasts()
        best = self._best()
        rows = np.arange(self.size)
        expected, error = forecasts[rows, best], self.errors[rows, best].astype(np.float64)
        distance = np.abs(clean(values) - expected)
        noise = 1e-6 * np.abs(expected)  # what single precision makes of a flat series
        scale = np.maximum(error, FLOOR * np.abs(expected)) + noise
        scores = ratio(np.where(distance <= noise, 0.0, distance), scale)
        return np.where(self.seen >= LEARNING, scores, np.nan)

    def learn(self, values: Floats) -> None:
        """Take the values in: the errors of all three forecasts, then what they are made from."""
        cleaned = clean(values)
        there = ~np.isnan(cleaned)
        self.seen += there
        share = np.maximum(LEVEL, 1.0 / np.maximum(self.seen, 1))
        forecasts = self._forecasts()
        error = np.abs(cleaned[:, None] - forecasts)
        usual = self.errors.astype(np.float64)
        bounded = np.minimum(error, np.where(usual > 0, BOUND * usual, np.inf))
        grown = np.where(np.isnan(usual), error, usual + share[:, None] * (bounded - usual))
        self.errors = np.where(np.isnan(error), usual, grown).astype(np.float32)
        reach = BOUND * np.where(np.isnan(usual[:, 0]) | (self.seen < LEARNING), np.inf, usual[:, 0] * 1.0)
        self.level = _towards(self.level, cleaned, share, reach)
        for profile, period, per_bin in zip((self.day, self.week), self._periods, self._per_bin, strict=True):
            self._fill(profile, period, cleaned, min(PROFILE, PROFILE / per_bin), 2 * reach)
        self.age += there | (self.age > 0)

    def skip(self, steps: int) -> None:
        """So many steps went by of which nothing is known; blank slots stay as they are."""
        self.age += np.where(self.age > 0, steps, 0)

    def _fill(self, profile: State, period: float, values: Floats, share: float, reach: Floats) -> None:
        rows, at = np.arange(self.size), self._bin(profile, period)
        profile[rows, at] = _towards(profile[rows, at], values, np.full(self.size, share), reach)

    def _bin(self, profile: State, period: float) -> Index:
        bins = profile.shape[1]
        found: Index = ((self.age % period) * bins / period).astype(np.intp)
        kept: Index = np.minimum(found, bins - 1)
        return kept

    def _forecasts(self) -> Floats:
        rows = np.arange(self.size)
        forecasts = np.empty((self.size, 3))
        forecasts[:, 0] = self.level
        forecasts[:, 1] = self.day[rows, self._bin(self.day, self._periods[0])]
        forecasts[:, 2] = self.week[rows, self._bin(self.week, self._periods[1])]
        return forecasts

    def _best(self) -> Index:
        errors = np.where(np.isnan(self._forecasts()), np.inf, self.errors.astype(np.float64))
        for column, period in enumerate(self._periods, start=1):
            errors[:, column] = np.where(self.age >= 2 * period, errors[:, column], np.inf)
        errors[:, 0] = np.where(np.isnan(errors[:, 0]), np.inf, errors[:, 0])
        best: Index = np.argmin(np.where(np.isnan(errors), np.inf, errors), axis=1)
        return best


def _towards(old: State, values: Floats, share: Floats, reach: Floats) -> State:
    """`old` moved by `share` of the way to `values`, of which at most `reach` counts; NaN moves nothing."""
    step = np.clip(values - old, -reach, reach)
    moved = np.where(np.isnan(old), values, old + share * step)
    return np.where(np.isnan(values), old, moved).astype(np.float32)
