"""Those around the entity, what runs out, what was changed, and the models that it asks."""

from functools import cache
from typing import Final

import numpy as np

from foregate.predict.features.around import AROUND
from foregate.predict.features.feature import Feature, Formula, Sentence, Topic, bounded, once, over
from foregate.predict.features.frame import WINDOW_MINUTES, Frame
from foregate.predict.features.words import minutes, ms, percent, times
from foregate.predict.usual import Floats

EXHAUSTION_MIN_MAX: Final = 1_440.0  # what lasts longer than a day is no matter of the next hour
_SPENT: Final = 1e-4  # less left than this is nothing


def _around(name: str) -> Formula:
    i = AROUND.index(name)
    return lambda f: f.around[:, i]


def _around_sentence(name: str) -> Sentence:
    who = "a service that it calls" if name.startswith("dependency") else "its service"
    value = _around(name)
    if name.endswith("error_rate"):
        return lambda f, i: f"the worst error rate of {who} is {percent(float(value(f)[i]))}"
    what = {"p95": "p95 latency", "rps": "traffic", "con": "concurrency"}[name.split("_")[1][:3]]
    return lambda f, i: f"the {what} of {who} is up to {times(float(value(f)[i]))} its usual"


def _topic(name: str) -> Topic:
    return "dependencies" if name.startswith("dependency") else "siblings"


@cache
def _left(column: str) -> Formula:
    """Minutes until nothing is left, if it goes on as in the last hour; the nearer of two paces, up to a day."""

    def compute(f: Frame) -> Floats:
        now, trail = f.latest(column), f.column(column)
        quick, slow = _pace(trail[:, -15:]), _pace(trail)
        pace = np.fmax(quick, slow)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where(pace > 0, now / pace, EXHAUSTION_MIN_MAX)
        left = np.where(now <= _SPENT, 0, left)
        return bounded(np.where(np.isnan(now), np.nan, left), 0, EXHAUSTION_MIN_MAX)

    return once(compute)


def _pace(values: Floats) -> Floats:
    """How much goes each minute, between the first and the last known value; NaN with fewer than two."""
    known = ~np.isnan(values)
    first, last = known.argmax(axis=1), values.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    rows = np.arange(len(values))
    with np.errstate(divide="ignore", invalid="ignore"):
        pace = (values[rows, first] - values[rows, last]) / (last - first)
    return np.where(last > first, pace, np.nan).astype(np.float32)


def _left_sentence(column: str, what: str) -> Sentence:
    left = _left(column)

    def sentence(f: Frame, i: int) -> str:
        share, time = percent(float(f.latest(column)[i])), float(left(f)[i])
        if time >= EXHAUSTION_MIN_MAX:
            return f"{share} of {what} is left, enough for a day and more"
        return f"{share} of {what} is left, gone in {minutes(time)} at this pace"

    return sentence


@once
def _certificate(f: Frame) -> Floats:
    return bounded(f.latest("cert_left_s") / np.float32(60), 0, 7 * EXHAUSTION_MIN_MAX)


def _since(mark: str, what: str) -> tuple[Formula, Sentence]:
    def sentence(f: Frame, i: int) -> str:
        since = float(f.since(mark)[i])
        return f"no {what} in the last hour" if since >= WINDOW_MINUTES else f"a {what} {minutes(since + 1)} ago"

    return lambda f: f.since(mark), sentence


@once
def _first_token(f: Frame) -> Floats:
    """Mean time to the first token of five minutes, against the rest of the hour."""
    return over(f.mean("first_token_ms", 5), f.mean("first_token_ms", WINDOW_MINUTES), 1.0)


def _first_token_sentence(f: Frame, i: int) -> str:
    now, before = ms(float(f.mean("first_token_ms", 5)[i])), ms(float(f.mean("first_token_ms", WINDOW_MINUTES)[i]))
    return f"the first token takes {now}, over the last hour {before}"


@once
def _tokens(f: Frame) -> Floats:
    return over(f.mean("tokens", 5), f.mean("tokens", WINDOW_MINUTES), 1.0)


SURROUNDINGS: Final = (
    *(
        Feature(name, "share" if name.endswith("rate") else "× usual", _topic(name), 1, _around(name),
                _around_sentence(name))
        for name in AROUND
    ),
    Feature("quota_left_min", "min", "exhaustion", -1, _left("quota_left"), _left_sentence("quota_left", "its quota")),
    Feature(
        "budget_left_min", "min", "exhaustion", -1, _left("budget_left"),
        _left_sentence("budget_left", "its error budget"),
    ),
    Feature("disk_left_min", "min", "exhaustion", -1, _left("disk_left"), _left_sentence("disk_left", "the disk")),
    Feature(
        "certificate_left_min", "min", "exhaustion", -1, _certificate,
        lambda f, i: f"a certificate in use expires in {minutes(float(_certificate(f)[i]))}",
    ),
    Feature("deployed_min", "min", "changes", 0, *_since("deploys", "deploy")),
    Feature("changed_min", "min", "changes", 0, *_since("config_changes", "change of the configuration")),
    Feature("first_token_ratio", "× hour", "models", 1, _first_token, _first_token_sentence),
    Feature(
        "tokens_ratio", "× hour", "models", 0, _tokens,
        lambda f, i: f"it uses {times(float(_tokens(f)[i]))} the tokens of the last hour's mean",
    ),
    Feature(
        "model_failures_5m", "per request", "models", 1, lambda f: bounded(f.share("model_failures", 5), 0, 5),
        lambda f, i: f"{f.count('model_failures', 5)[i]:.0f} attempts at a model failed in the last 5 minutes",
    ),
)  # fmt: skip
