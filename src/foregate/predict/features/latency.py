"""Latency against the entity's own usual: level, trend, growth, tail."""

from typing import Final

from foregate.predict.features.feature import Feature, Formula, Sentence, bounded
from foregate.predict.features.view import TREND, View
from foregate.predict.features.words import against_usual, minutes, ms, times
from foregate.predict.history import COLUMN, Floats

_FLOOR_MS = 1.0  # below a millisecond a ratio is about noise


def _over(value: float, base: float) -> float:
    return bounded(max(value, _FLOOR_MS) / max(base, _FLOOR_MS), 0.1, 30)


def _ratio(metric: str) -> Formula:
    i = COLUMN[metric]
    return lambda v: _over(v.values[i], v.usual.median[i])


def _ratio_sentence(what: str, metric: str) -> Sentence:
    ratio = _ratio(metric)
    return lambda v: against_usual(what, ms(v.value_of(metric)), ratio(v), ms(v.usual_of(metric)))


def _growth(view: View) -> str:
    """The end of a sentence: for how long p95 has been above its usual, when it is."""
    if view.grown_p95_min < 1:
        return ""
    grows = view.slope_5m[TREND["p95_ms"]] > 0.01
    verb = "has grown for" if grows else "has been above it for"
    return f", and {verb} {minutes(view.grown_p95_min)}"


def _p95_sentence(view: View) -> str:
    return _ratio_sentence("p95 latency", "p95_ms")(view) + _growth(view)


def _z(metric: str) -> Formula:
    """(value − median) / spread, the spread at least 5 % of the median and 1 ms."""
    i = COLUMN[metric]

    def compute(view: View) -> float:
        median, spread = view.usual.median[i], view.usual.spread[i]
        return bounded((view.values[i] - median) / max(spread, 0.05 * median, 1.0), -10, 50)

    return compute


def _z_sentence(what: str, metric: str) -> Sentence:
    z = _z(metric)
    return lambda v: (
        f"{what} is {ms(v.value_of(metric))}, {abs(z(v)):.1f} usual spreads "
        f"{'above' if z(v) >= 0 else 'below'} its usual {ms(v.usual_of(metric))}"
    )


def _calm(view: View) -> float:
    return _over(view.value_of("p95_ms"), view.usual.calm[COLUMN["p95_ms"]])


def _calm_sentence(view: View) -> str:
    calm = ms(view.usual.calm[COLUMN["p95_ms"]])
    return f"p95 latency is {ms(view.value_of('p95_ms'))}, {times(_calm(view))} the {calm} of its calmer minutes"


def _five(view: View) -> float:
    return _over(view.values_5m[COLUMN["p95_ms"]], view.usual_of("p95_ms"))


def _five_sentence(view: View) -> str:
    value = ms(view.values_5m[COLUMN["p95_ms"]])
    return against_usual("p95 latency of the last 5 minutes", value, _five(view), ms(view.usual_of("p95_ms")))


_SPANS: Final = {"now": "the last minute", "5m": "5 minutes", "15m": "15 minutes"}


def _step(metric: str, what: str, recent: str, before: str) -> tuple[Formula, Sentence]:
    i = COLUMN[metric]

    def pick(view: View, name: str) -> float:
        arrays: dict[str, Floats] = {"now": view.values, "5m": view.values_5m, "15m": view.values_15m}
        return float(arrays[name][i])

    def compute(view: View) -> float:
        return bounded(max(pick(view, recent), _FLOOR_MS) / max(pick(view, before), _FLOOR_MS), 0.1, 10)

    def sentence(view: View) -> str:
        levels = f"{ms(pick(view, recent))} against {ms(pick(view, before))}"
        newer, older = _SPANS[recent], _SPANS[before]
        return f"{what} of {newer} is {times(compute(view))} that of {older}: {levels}"

    return compute, sentence


def _slope(metric: str, what: str, span_min: int) -> tuple[Formula, Sentence]:
    i = TREND[metric]

    def compute(view: View) -> float:
        return bounded((view.slope_5m if span_min == 5 else view.slope_15m)[i], -2, 5)

    def sentence(view: View) -> str:
        slope = compute(view)
        per_minute = ms(abs(slope) * max(view.usual_of(metric), _FLOOR_MS))
        verb = "rises" if slope > 0 else "falls"
        return f"{what} {verb} by {per_minute} a minute over {span_min} minutes, now {ms(view.value_of(metric))}"

    return compute, sentence


def _tau(metric: str, what: str) -> tuple[Formula, Sentence]:
    i = TREND[metric]

    def sentence(view: View) -> str:
        share = (view.tau[i] + 1) / 2 * 100
        return f"{what} rose in {share:.0f} % of the comparisons between the last 15 minutes"

    return lambda v: bounded(v.tau[i], -1, 1), sentence


def _tail(view: View) -> float:
    """p99 over p50 now, against the same of the usual levels."""
    now = _over(view.value_of("p99_ms"), view.value_of("p50_ms"))
    return bounded(now / _over(view.usual_of("p99_ms"), view.usual_of("p50_ms")), 0.05, 20)


def _tail_sentence(view: View) -> str:
    p99, p50 = ms(view.value_of("p99_ms")), ms(view.value_of("p50_ms"))
    return f"the gap between p99 ({p99}) and median latency ({p50}) is {times(_tail(view))} the usual one"


def _grown_sentence(view: View) -> str:
    if view.grown_mean_min < 1:
        return f"mean latency ({ms(view.value_of('mean_ms'))}) is not above its usual {ms(view.usual_of('mean_ms'))}"
    return (
        f"mean latency ({ms(view.value_of('mean_ms'))}) has been above its usual {ms(view.usual_of('mean_ms'))} "
        f"for {minutes(view.grown_mean_min)}"
    )


LATENCY: Final = (
    Feature("p50_ratio", "× usual", "latency level", 1, _ratio("p50_ms"), _ratio_sentence("median latency", "p50_ms")),
    Feature("p95_ratio", "× usual", "latency level", 1, _ratio("p95_ms"), _p95_sentence),
    Feature("p99_ratio", "× usual", "latency level", 1, _ratio("p99_ms"), _ratio_sentence("p99 latency", "p99_ms")),
    Feature("mean_ratio", "× usual", "latency level", 1, _ratio("mean_ms"), _ratio_sentence("mean latency", "mean_ms")),
    Feature("p95_5m_ratio", "× usual", "latency level", 1, _five, _five_sentence),
    Feature("p95_calm_ratio", "× calm", "latency level", 1, _calm, _calm_sentence),
    Feature("p50_z", "spreads", "latency level", 1, _z("p50_ms"), _z_sentence("median latency", "p50_ms")),
    Feature("p95_z", "spreads", "latency level", 1, _z("p95_ms"), _z_sentence("p95 latency", "p95_ms")),
    Feature(
        "upstream_ratio",
        "× usual",
        "latency level",
        1,
        _ratio("upstream_mean_ms"),
        _ratio_sentence("the service's own time to answer", "upstream_mean_ms"),
    ),
    Feature("p95_1m_over_5m", "ratio", "latency trend", 1, *_step("p95_ms", "p95 latency", "now", "5m")),
    Feature("p95_5m_over_15m", "ratio", "latency trend", 1, *_step("p95_ms", "p95 latency", "5m", "15m")),
    Feature("mean_1m_over_5m", "ratio", "latency trend", 1, *_step("mean_ms", "mean latency", "now", "5m")),
    Feature("mean_5m_over_15m", "ratio", "latency trend", 1, *_step("mean_ms", "mean latency", "5m", "15m")),
    Feature("p50_slope_15m", "usual/min", "latency trend", 1, *_slope("p50_ms", "median latency", 15)),
    Feature("mean_tau", "−1 to 1", "latency trend", 1, *_tau("mean_ms", "mean latency")),
    Feature("p50_slope_5m", "usual/min", "latency trend", 1, *_slope("p50_ms", "median latency", 5)),
    Feature("p95_slope_5m", "usual/min", "latency trend", 1, *_slope("p95_ms", "p95 latency", 5)),
    Feature("p95_slope_15m", "usual/min", "latency trend", 1, *_slope("p95_ms", "p95 latency", 15)),
    Feature("mean_slope_15m", "usual/min", "latency trend", 1, *_slope("mean_ms", "mean latency", 15)),
    Feature("p95_tau", "−1 to 1", "latency trend", 1, *_tau("p95_ms", "p95 latency")),
    Feature("p50_tau", "−1 to 1", "latency trend", 1, *_tau("p50_ms", "median latency")),
    Feature("p95_grown", "min", "latency growth", 0, lambda v: v.grown_p95_min, _p95_sentence),
    Feature("mean_grown", "min", "latency growth", 0, lambda v: v.grown_mean_min, _grown_sentence),
    Feature("tail_ratio", "× usual", "tail", 0, _tail, _tail_sentence),
)
