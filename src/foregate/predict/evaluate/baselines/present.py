"""What is bad now, or has been before, will be so again: no past is needed, or only the entity's own failures."""

from typing import Final

import numpy as np

from foregate.predict.evaluate.baselines.trailing import Floats, trailing_mean, trailing_sum
from foregate.predict.evaluate.system import System
from foregate.predict.evaluate.truth import bad_minutes, spells_in
from foregate.predict.failures import BAD_IN_A_ROW

PRESENT_MIN: Final = 5
_MINUTES_PER_DAY: Final = 1440.0
_PRIOR_FAILURES: Final = 0.5  # half a failure in half a day is what a new entity begins with
_PRIOR_DAYS: Final = 0.5


def always_healthy(system: System) -> Floats:
    """Nothing ever fails: the score whose accuracy is 99 %."""
    return np.zeros(system.of("requests").shape)


def persistence(system: System) -> Floats:
    """The next minutes will be like the last five: their error rate."""
    errors, requests = (trailing_sum(system.of(name), PRESENT_MIN) for name in ("errors", "requests"))
    return errors / np.maximum(requests, 1.0)


def historical_rate(system: System) -> Floats:
    """Who failed often fails again: the entity's failures so far per recorded day, with half of one to begin with."""
    bad = bad_minutes(system)
    entity, first, _, failed = spells_in(bad)
    third = bad.copy()
    for back in range(1, BAD_IN_A_ROW):
        third[:, back:] &= bad[:, :-back]
        third[:, :back] = False
    known = np.zeros(bad.shape)
    for row, begin in zip(entity[failed], first[failed], strict=True):
        known[row, begin + int(np.argmax(third[row, begin:]))] += 1  # a failure is known at its third bad minute
    recorded = np.cumsum(~np.isnan(system.of("requests")), axis=1) / _MINUTES_PER_DAY
    rate: Floats = (np.cumsum(known, axis=1) + _PRIOR_FAILURES) / (recorded + _PRIOR_DAYS)
    return rate


def static_threshold(system: System) -> Floats:
    """One latency limit for all: the mean p95 of the last five minutes in ms."""
    return trailing_mean(system.of("p95_ms"), PRESENT_MIN)
