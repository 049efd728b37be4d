"""What runs out: how much is left of it, and for how long if it goes on like this."""

from functools import cache
from typing import Final

import numpy as np

from foregate.predict.features.feature import Feature, Formula, Sentence, bounded, once
from foregate.predict.features.frame import WINDOW_MINUTES, Frame
from foregate.predict.features.words import ahead, ms, percent
from foregate.predict.usual import Floats

LASTS_MIN_MAX: Final = 1_440.0  # what lasts longer than a day is no matter of the next hour
STOCKS: Final = {  # shares that are left → what of
    "quota_left": "its quota",
    "budget_left": "its error budget",
    "disk_left": "the disk",
    "memory_left": "the memory of one of its processes",
    "connections_left": "a pool of its connections",
    "workers_left": "a pool of its workers",
}
OWN: Final = ("memory_left", "connections_left", "workers_left")  # said by the service itself
_TREND_MIN: Final = 15
_TOLD_MINUTES_MIN: Final = 8  # of these
_SPENT: Final = 1e-4  # less left than this is nothing
_OF_LIMIT_MAX: Final = 2.0
_ENDS_MIN_MIN: Final = 1.0  # nearer is no difference to those who depend on it


@cache
def lasts(column: str) -> Formula:
    """Minutes until nothing is left if it goes on as in the last quarter or hour, whichever is quicker; up to a day.

    By least squares: a sample alone is off by what the last collection of garbage has just freed. NaN where nobody
    has said anything for five minutes (what fell silent has not run out), or little in the quarter of an hour: garbage
    that fills for a few minutes is no trend.
    """

    def compute(f: Frame) -> Floats:
        quick, slow = f.line(column, _TREND_MIN), f.line(column, WINDOW_MINUTES)
        now, pace = quick[:, 0], -np.minimum(quick[:, 1], slow[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where(pace > 0, now / pace, LASTS_MIN_MAX)
        left = np.where(now <= _SPENT, 0, left)
        told = (~np.isnan(f.column(column, _TREND_MIN))).sum(axis=1) >= _TOLD_MINUTES_MIN
        return bounded(np.where(told & ~np.isnan(f.latest(column)), left, np.nan), 0, LASTS_MIN_MAX)

    return once(compute)


def _lasts_sentence(column: str) -> Sentence:
    left, what = lasts(column), STOCKS[column]

    def sentence(f: Frame, i: int) -> str:
        # What was measured, not where the trend stands: after a step they are far apart.
        now, time = float(f.latest(column)[i]), float(left(f)[i])
        if now <= _SPENT:
            return f"as good as nothing of {what} is left"
        share = f"{percent(now)} of {what} is left"
        if time >= LASTS_MIN_MAX:
            return f"{share}, enough for a day and more at this pace"
        return f"{share}, gone in {ahead(time)} at this pace"

    return sentence


def _left(column: str) -> Formula:
    return lambda f: bounded(f.mean(column, 5), 0, 1)


def _left_sentence(column: str) -> Sentence:
    return lambda f, i: f"{percent(float(f.mean(column, 5)[i]))} of {STOCKS[column]} is left, mean of 5 minutes"


@once
def certificate(f: Frame) -> Floats:
    """Minutes until the first certificate in use expires, up to a week; 0 afterwards."""
    return bounded(f.latest("cert_left_s") / np.float32(60), 0, 7 * LASTS_MIN_MAX)


def _certificate_sentence(f: Frame, i: int) -> str:
    left = float(certificate(f)[i])
    if left <= 0.0:
        return "a certificate in use has expired"
    if left >= 7 * LASTS_MIN_MAX:
        return "no certificate in use expires within a week"
    return f"a certificate in use expires in {ahead(left)}"


@once
def ends_per_h(f: Frame) -> Floats:
    """1 / the hours until the first of all these ends: for those who depend on it. NaN where nothing is known.

    A certificate that has expired is no end to come: who minds fails already, and the others have not minded.
    """
    parts = [lasts(column)(f) for column in STOCKS if column != "budget_left"]  # spending a budget stops nobody
    expires = certificate(f)
    first = np.fmin.reduce([*parts, np.where(expires > 0, expires, np.float32(np.nan))])
    return bounded(np.float32(60) / np.maximum(first, np.float32(_ENDS_MIN_MIN)), 0, 60)


def _of_limit(metric: str) -> Formula:
    """The last five minutes as a share of the time that the gateway waits for one attempt."""

    @once
    def compute(f: Frame) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            share = f.level(metric, 5) / f.latest("time_limit_ms")
        return bounded(share, 0, _OF_LIMIT_MAX)

    return compute


def _of_limit_sentence(metric: str, what: str) -> Sentence:
    share = _of_limit(metric)

    def sentence(f: Frame, i: int) -> str:
        now, limit = ms(float(f.level(metric, 5)[i])), ms(float(f.latest("time_limit_ms")[i]))
        told = float(share(f)[i])  # with retries a request may take as long as several attempts
        of = f"{percent(told)} of" if told < _OF_LIMIT_MAX else "at least twice"
        return f"{what} latency of 5 minutes is {now}, {of} the time limit of {limit}"

    return sentence


@once
def _limit_reached(f: Frame) -> Floats:
    """Minutes until the p95 reaches the time limit by its trend of a quarter of an hour, up to a day."""
    line = f.line("p95_ms", _TREND_MIN)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = (f.latest("time_limit_ms") - line[:, 0]) / line[:, 1]
        left = np.where(line[:, 1] > 0, left, LASTS_MIN_MAX)
    # It has been reached, whichever way it goes: attempts are cut off there, so the trend may well say that it stands.
    left = np.where(line[:, 0] >= f.latest("time_limit_ms"), 0, left)
    return bounded(np.where(np.isnan(f.latest("time_limit_ms") + line[:, 0]), np.nan, left), 0, LASTS_MIN_MAX)


def _limit_reached_sentence(f: Frame, i: int) -> str:
    limit_ms, time = float(f.latest("time_limit_ms")[i]), float(_limit_reached(f)[i])
    limit = ms(limit_ms)
    if float(f.line("p95_ms", _TREND_MIN)[i, 0]) >= limit_ms:
        return f"p95 latency has reached the time limit of {limit}"
    if time >= LASTS_MIN_MAX:
        return f"p95 latency is not on its way to the time limit of {limit}"
    return f"p95 latency reaches the time limit of {limit} in {ahead(time)} at this pace"


EXHAUSTION: Final = (
    *(
        Feature(f"{column}_min", "min", "exhaustion", -1, lasts(column), _lasts_sentence(column))
        for column in STOCKS
    ),
    *(Feature(f"{column}_5m", "share", "exhaustion", -1, _left(column), _left_sentence(column)) for column in OWN),
    Feature(
        "certificate_left_min", "min", "exhaustion", -1, certificate, _certificate_sentence
    ),
    *(
        Feature(f"{name}_of_limit_5m", "share", "time limit", 1, _of_limit(metric), _of_limit_sentence(metric, name))
        for name, metric in (("mean", "mean_ms"), ("p95", "p95_ms"), ("p99", "p99_ms"))
    ),
    Feature("limit_reached_min", "min", "time limit", -1, _limit_reached, _limit_reached_sentence),
)  # fmt: skip
