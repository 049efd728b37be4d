"""Latency against the entity's own usual: level, trend, growth, tail, and the same time on other days."""

from datetime import UTC, datetime
from functools import cache
from typing import Final

import numpy as np

from foregate.predict.features.feature import Feature, Formula, Sentence, bounded, once, over
from foregate.predict.features.frame import Frame
from foregate.predict.features.words import against_usual, minutes, ms, times
from foregate.predict.usual import Floats

_FLOOR_MS = 1.0  # below a millisecond a ratio is about noise


@cache
def _ratio(metric: str, span: int = 0) -> Formula:
    """Of the last `span` minutes (0: now) to the usual median."""

    def compute(f: Frame) -> Floats:
        return over(f.span(metric, span) if span else f.now(metric), f.median(metric), _FLOOR_MS)

    return once(compute)


def _ratio_sentence(what: str, metric: str, span: int = 0) -> Sentence:
    ratio = _ratio(metric, span)

    def sentence(f: Frame, i: int) -> str:
        value = (f.span(metric, span) if span else f.now(metric))[i]
        when = f" of the last {span} minutes" if span else ""
        return against_usual(f"{what}{when}", ms(value), float(ratio(f)[i]), ms(f.median(metric)[i]))

    return sentence


def _growth(f: Frame, i: int) -> str:
    """The end of a sentence: for how long p95 has been above its usual, when it is."""
    grown = float(f.grown("p95_ms")[i])
    if not grown >= 1:  # NaN, too: there may be a season to compare with, but no reading of this minute
        return ""
    grows = f.slope("p95_ms", 15)[i] > 0.01 * max(float(f.median("p95_ms")[i]), 1.0)
    return f", and {'has grown for' if grows else 'has been above it for'} {minutes(grown)}"


_p95_level: Final = _ratio_sentence("p95 latency", "p95_ms")


def _p95_sentence(f: Frame, i: int) -> str:
    return _p95_level(f, i) + _growth(f, i)


@cache
def _z(metric: str, span: int = 0) -> Formula:
    """(value − median) / spread, the spread at least 5 % of the median and 1 ms."""

    def compute(f: Frame) -> Floats:
        value, median = (f.span(metric, span) if span else f.now(metric)), f.median(metric)
        spread = np.maximum(f.spread(metric), np.maximum(np.float32(0.05) * median, np.float32(1)))
        return bounded((value - median) / spread, -10, 50)

    return once(compute)


def _z_sentence(what: str, metric: str, span: int = 0) -> Sentence:
    z = _z(metric, span)

    def sentence(f: Frame, i: int) -> str:
        value, by = (f.span(metric, span) if span else f.now(metric))[i], float(z(f)[i])
        side = "above" if by >= 0 else "below"
        return f"{what} is {ms(value)}, {abs(by):.1f} usual spreads {side} its usual {ms(f.median(metric)[i])}"

    return sentence


@once
def _calm(f: Frame) -> Floats:
    return over(f.now("p95_ms"), f.calm("p95_ms"), _FLOOR_MS)


def _calm_sentence(f: Frame, i: int) -> str:
    ratio, calm = times(float(_calm(f)[i])), ms(f.calm("p95_ms")[i])
    return f"p95 latency is {ms(f.now('p95_ms')[i])}, {ratio} the {calm} of its calmer minutes"


def _borne(metric: str, span: int) -> Formula:
    """Against the worst minute of the reference: what it has borne without failing."""
    return once(lambda f: over(f.span(metric, span), f.worst(metric), _FLOOR_MS))


def _borne_sentence(what: str, metric: str, span: int) -> Sentence:
    ratio = _borne(metric, span)

    def sentence(f: Frame, i: int) -> str:
        value, worst = ms(f.span(metric, span)[i]), ms(f.worst(metric)[i])
        return (
            f"{what} of the last {span} minutes is {value}, {times(float(ratio(f)[i]))} the {worst} of its worst "
            "minute of hours that it has borne"
        )

    return sentence


@once
def _season(f: Frame) -> Floats:
    return over(f.span("p95_ms", 5), f.seasonal("p95_ms"), _FLOOR_MS)


def _season_sentence(f: Frame, i: int) -> str:
    when = datetime.fromtimestamp(float(f.time_s[i]), UTC).strftime("%A %H:%M")
    value, usual = ms(f.span("p95_ms", 5)[i]), ms(f.seasonal("p95_ms")[i])
    return f"p95 latency is {value}, {times(float(_season(f)[i]))} its usual {usual} for {when} (UTC){_growth(f, i)}"


def _step(metric: str, what: str, recent: int, before: int) -> tuple[Formula, Sentence]:
    @once
    def compute(f: Frame) -> Floats:
        return over(f.level(metric, recent), f.level(metric, before), _FLOOR_MS, 0.1, 10)

    def sentence(f: Frame, i: int) -> str:
        newer, older = ms(f.level(metric, recent)[i]), ms(f.level(metric, before)[i])
        ratio = times(float(compute(f)[i]))
        return f"{what} of the last {recent} minutes is {ratio} that of the last {before}: {newer} against {older}"

    return compute, sentence


def _slope(metric: str, what: str, span: int) -> tuple[Formula, Sentence]:
    @once
    def compute(f: Frame) -> Floats:
        return bounded(f.slope(metric, span) / np.maximum(f.median(metric), np.float32(_FLOOR_MS)), -2, 5)

    def sentence(f: Frame, i: int) -> str:
        slope = float(f.slope(metric, span)[i])
        verb, now = "rises" if slope > 0 else "falls", float(f.now(metric)[i])
        level = f", now {ms(now)}" if now == now else ""  # silent for five minutes: there is no level
        return f"{what} {verb} by {ms(abs(slope))} a minute over {span} minutes{level}"

    return compute, sentence


def _tau(metric: str, what: str, span: int) -> tuple[Formula, Sentence]:
    def sentence(f: Frame, i: int) -> str:
        share = (float(f.tau(metric, span)[i]) + 1) / 2 * 100
        return f"{what} rose in {share:.0f} % of the comparisons within the last {span} minutes"

    return lambda f: f.tau(metric, span), sentence


@once
def _tail(f: Frame) -> Floats:
    """p99 over p50 now, against the same of the usual levels."""
    now = over(f.now("p99_ms"), f.now("p50_ms"), _FLOOR_MS)
    return bounded(now / over(f.median("p99_ms"), f.median("p50_ms"), _FLOOR_MS), 0.05, 20)


def _tail_sentence(f: Frame, i: int) -> str:
    p99, p50 = ms(f.now("p99_ms")[i]), ms(f.now("p50_ms")[i])
    return f"the gap between p99 ({p99}) and median latency ({p50}) is {times(float(_tail(f)[i]))} the usual one"


def _grown_sentence(f: Frame, i: int) -> str:
    value, usual = ms(f.now("mean_ms")[i]), ms(f.median("mean_ms")[i])
    grown = float(f.grown("mean_ms")[i])
    if grown < 1:
        return f"mean latency ({value}) is not above its usual {usual}"
    return f"mean latency ({value}) has been above its usual {usual} for {minutes(grown)}"


@once
def _peak(f: Frame) -> Floats:
    return over(f.peak("p95_ms", 60), f.median("p95_ms"), _FLOOR_MS)


def _peak_sentence(f: Frame, i: int) -> str:
    highest, usual = ms(f.peak("p95_ms", 60)[i]), ms(f.median("p95_ms")[i])
    return f"its worst minute of the last hour had a p95 of {highest}, {times(float(_peak(f)[i]))} the usual {usual}"


@once
def _ahead(f: Frame) -> Floats:
    """Where p95 will be in 15 minutes if it goes on as in the last 15, in × usual."""
    ahead = f.span("p95_ms", 5) + np.float32(15) * f.slope("p95_ms", 15)
    return over(ahead, f.median("p95_ms"), _FLOOR_MS)


def _ahead_sentence(f: Frame, i: int) -> str:
    value = float(_ahead(f)[i]) * max(float(f.median("p95_ms")[i]), _FLOOR_MS)
    return f"p95 latency would be {ms(value)} in 15 minutes if it went on as in the last 15"


@once
def _noise(f: Frame) -> Floats:
    return bounded(f.spread("p95_ms") / np.maximum(f.median("p95_ms"), np.float32(_FLOOR_MS)), 0, 5)


def _noise_sentence(f: Frame, i: int) -> str:
    return f"its p95 latency usually varies by {float(_noise(f)[i]) * 100:.0f} %"


LATENCY: Final = (
    Feature("p50_ratio", "× usual", "latency level", 1, _ratio("p50_ms"), _ratio_sentence("median latency", "p50_ms")),
    Feature("p95_ratio", "× usual", "latency level", 1, _ratio("p95_ms"), _p95_sentence),
    Feature("p99_ratio", "× usual", "latency level", 1, _ratio("p99_ms"), _ratio_sentence("p99 latency", "p99_ms")),
    Feature("mean_ratio", "× usual", "latency level", 1, _ratio("mean_ms"), _ratio_sentence("mean latency", "mean_ms")),
    *(
        Feature(
            f"{metric}_ratio_{span}m",
            "× usual",
            "latency level",
            1,
            _ratio(f"{metric}_ms", span),
            _ratio_sentence(what, f"{metric}_ms", span),
        )
        for metric, what, span in (
            ("p95", "p95 latency", 5),
            ("p95", "p95 latency", 15),
            ("p50", "median latency", 5),
            ("mean", "mean latency", 5),
            ("mean", "mean latency", 15),
        )
    ),
    Feature(
        "upstream_ratio_5m",
        "× usual",
        "latency level",
        1,
        _ratio("upstream_mean_ms", 5),
        _ratio_sentence("mean time of the upstream", "upstream_mean_ms", 5),
    ),
    Feature("p95_z", "spreads", "latency level", 1, _z("p95_ms"), _z_sentence("p95 latency", "p95_ms")),
    Feature("mean_z_5m", "spreads", "latency level", 1, _z("mean_ms", 5), _z_sentence("mean latency", "mean_ms", 5)),
    Feature("p95_calm_ratio", "× calm", "latency level", 1, _calm, _calm_sentence),
    Feature(
        "p95_borne_5m", "× worst", "latency level", 1, _borne("p95_ms", 5), _borne_sentence("p95 latency", "p95_ms", 5)
    ),
    Feature(
        "mean_borne_5m",
        "× worst",
        "latency level",
        1,
        _borne("mean_ms", 5),
        _borne_sentence("mean latency", "mean_ms", 5),
    ),
    Feature("p95_season_ratio", "× usual", "latency season", 1, _season, _season_sentence),
    Feature("p95_step_5m_15m", "ratio", "latency trend", 1, *_step("p95_ms", "p95 latency", 5, 15)),
    Feature("p95_step_15m_60m", "ratio", "latency trend", 1, *_step("p95_ms", "p95 latency", 15, 60)),
    Feature("mean_step_5m_15m", "ratio", "latency trend", 1, *_step("mean_ms", "mean latency", 5, 15)),
    Feature("mean_step_15m_60m", "ratio", "latency trend", 1, *_step("mean_ms", "mean latency", 15, 60)),
    Feature("p95_slope_5m", "usual/min", "latency trend", 1, *_slope("p95_ms", "p95 latency", 5)),
    Feature("p95_slope_15m", "usual/min", "latency trend", 1, *_slope("p95_ms", "p95 latency", 15)),
    Feature("p95_slope_60m", "usual/min", "latency trend", 1, *_slope("p95_ms", "p95 latency", 60)),
    Feature("mean_slope_15m", "usual/min", "latency trend", 1, *_slope("mean_ms", "mean latency", 15)),
    Feature("mean_slope_60m", "usual/min", "latency trend", 1, *_slope("mean_ms", "mean latency", 60)),
    Feature("p95_tau_15m", "−1 to 1", "latency growth", 1, *_tau("p95_ms", "p95 latency", 15)),
    Feature("mean_tau_15m", "−1 to 1", "latency growth", 1, *_tau("mean_ms", "mean latency", 15)),
    Feature("mean_tau_60m", "−1 to 1", "latency growth", 1, *_tau("mean_ms", "mean latency", 60)),
    Feature("p50_tau_60m", "−1 to 1", "latency growth", 1, *_tau("p50_ms", "median latency", 60)),
    Feature("p95_grown_min", "min", "latency growth", 1, lambda f: f.grown("p95_ms"), _p95_sentence),
    Feature("mean_grown_min", "min", "latency growth", 1, lambda f: f.grown("mean_ms"), _grown_sentence),
    Feature("p95_ahead_15m", "× usual", "latency growth", 1, _ahead, _ahead_sentence),
    Feature("p95_peak_60m", "× usual", "past", 1, _peak, _peak_sentence),
    Feature("tail_ratio", "× usual", "tail", 0, _tail, _tail_sentence),
    Feature("p95_noise", "share", "history", 0, _noise, _noise_sentence),
)
