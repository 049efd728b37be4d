"""Those around the entity, what was changed, and the models that it asks."""

from typing import Final

from foregate.predict.features.around import AROUND
from foregate.predict.features.exhaustion import LASTS_MIN_MAX
from foregate.predict.features.feature import Feature, Formula, Sentence, Topic, bounded, once, over
from foregate.predict.features.frame import WINDOW_MINUTES, Frame
from foregate.predict.features.words import ahead, minutes, ms, percent, times
from foregate.predict.usual import Floats


def _around(name: str) -> Formula:
    i = AROUND.index(name)
    return lambda f: f.around[:, i]


def _around_sentence(name: str) -> Sentence:
    who = "a service that it calls" if name.startswith("dependency") else "its service"
    value = _around(name)
    if name == "dependency_ends_per_h":
        return lambda f, i: _ends_sentence(who, float(value(f)[i]))
    if name.endswith("error_rate"):
        return lambda f, i: f"the worst error rate of {who} is {percent(float(value(f)[i]))}"
    what = {"p95": "p95 latency", "rps": "traffic", "con": "concurrency"}[name.split("_")[1][:3]]
    return lambda f, i: f"the {what} of {who} is up to {times(float(value(f)[i]))} its usual"


def _ends_sentence(who: str, per_h: float) -> str:
    if per_h * LASTS_MIN_MAX <= 60.5:
        return f"nothing of {who} runs out within a day"
    if per_h >= 60.0:
        return f"something of {who} has run out, or does within a minute"
    return f"something of {who} runs out in {ahead(60.0 / per_h)} at this pace"


def _unit(name: str) -> str:
    return "1/h" if name.endswith("per_h") else "share" if name.endswith("rate") else "× usual"


def _topic(name: str) -> Topic:
    return "dependencies" if name.startswith("dependency") else "siblings"


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
        Feature(name, _unit(name), _topic(name), 1, _around(name), _around_sentence(name))
        for name in AROUND
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
