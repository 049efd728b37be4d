"""What foregate said about one world of the live lab, against what happened in it. Pure.

What happened is told by the windows, through the failure definition (`predict/failures.py`); what was said by the
alerts. Times of a result are seconds since the world began.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from bench.live_lab_plan import Planned
from foregate.predict.failures import HORIZON_S, LEAD_S_MIN, FailureTracker
from foregate.wire.window import WindowStats

Verdict = Literal[
    "foreseen",  # the route failed within the horizon
    "after",  # it had failed already
    "false",
    "undecided",  # the run ended before the horizon did: counted beside the false ones, never left out
]
Place = tuple[str, str]  # service and route, as foregate names them
Minute = tuple[float, int, int]  # start (Unix seconds), requests, errors
Score = tuple[float, float]  # when (Unix seconds), and how likely a failure was held to be
SWEEP = tuple(round(0.05 * step, 2) for step in range(1, 20))  # thresholds that are tried on the recorded scores


class Said(msgspec.Struct, frozen=True):
    """An alert, as the API gives it. Unix seconds."""

    place: Place
    raised_s: float
    horizon_s: float
    score: float
    reasons: tuple[str, ...] = ()


class Alarm(msgspec.Struct, frozen=True):
    """An alert, judged."""

    route: str
    raised_s: float
    score: float
    verdict: Verdict
    lead_s: float | None
    reasons: tuple[str, ...]


class Swept(msgspec.Struct, frozen=True):
    """What alerting from `threshold` on would have done: the lead, None where nothing was foreseen; false alarms,
    those that could not be decided included."""

    threshold: float
    lead_s: float | None
    false_alarms: int


class Result(msgspec.Struct, frozen=True):
    """One run. `kind` is "" without a fault; `onset_s`: the first failing minute, None where nothing failed; `route`:
    whose it was; `lead_s`: from the first alert on that route, None where none came before."""

    world: str
    seed: int
    kind: str
    service: str
    severity: float | None
    fault_s: float | None
    length_s: float
    requests: int
    errors: int
    routes: int
    route: str
    onset_s: float | None
    alert_s: float | None
    lead_s: float | None
    alarms: tuple[Alarm, ...]
    swept: tuple[Swept, ...] = ()

    @property
    def in_time(self) -> bool:
        return self.lead_s is not None and self.lead_s >= LEAD_S_MIN

    def count(self, *verdicts: Verdict) -> int:
        """How many of its alarms were one of these."""
        return sum(alarm.verdict in verdicts for alarm in self.alarms)


@dataclass(frozen=True)
class Truth:
    """When a world ran (Unix seconds), and when which of its routes began to fail."""

    begun_s: float
    end_s: float
    onsets: Mapping[Place, float]
    calm: bool  # nothing was to fail

    @property
    def first(self) -> Place | None:
        """The route that failed first."""
        return min(self.onsets, key=lambda place: (self.onsets[place], place), default=None)


def judge(
    run: Planned,
    begun_s: float,
    minutes: Mapping[Place, Sequence[Minute]],
    said: Sequence[Said],
    scores: Mapping[Place, Sequence[Score]],
) -> Result:
    """All of it is of this world's routes alone; what lies beyond the run's end is left out."""
    end_s = begun_s + run.scenario.duration_s
    within = {place: [m for m in each if begun_s - 60 < m[0] <= end_s - 60] for place, each in minutes.items()}
    onsets = {place: onset for place, each in within.items() if (onset := first_onset(each)) is not None}
    truth = Truth(begun_s, end_s, onsets, calm=run.fault is None)
    place = truth.first
    heard = sorted((one for one in said if begun_s <= one.raised_s <= end_s), key=lambda one: one.raised_s)
    alarms = tuple(_alarm(one, truth) for one in heard)
    horizon_s = said[0].horizon_s if said else HORIZON_S
    right = [a for a in alarms if place and a.route == place[1] and a.verdict == "foreseen"]
    return Result(
        world=run.world,
        seed=run.seed,
        kind=run.fault.kind if run.fault else "",
        service=run.fault.service if run.fault else "",
        severity=run.fault.severity if run.fault else None,
        fault_s=run.fault.start_s if run.fault else None,
        length_s=run.scenario.duration_s,
        requests=sum(m[1] for each in within.values() for m in each),
        errors=sum(m[2] for each in within.values() for m in each),
        routes=len(within),
        route=place[1] if place else "",
        onset_s=onsets[place] - begun_s if place else None,
        alert_s=right[0].raised_s if right else None,
        lead_s=right[0].lead_s if right else None,
        alarms=alarms,
        swept=tuple(_swept(threshold, scores, truth, horizon_s) for threshold in SWEEP),
    )


def first_onset(minutes: Iterable[Minute]) -> float | None:
    """The first failure's onset (Unix seconds), None without one. Minutes in order; a missing one had no traffic."""
    tracker = FailureTracker()
    for start_s, requests, errors in minutes:
        onset_s = tracker.observe(WindowStats(start_s, 60, requests=requests, errors=errors))
        if onset_s is not None:
            return onset_s
    return None


def _alarm(one: Said, truth: Truth) -> Alarm:
    onset_s = truth.onsets.get(one.place)
    verdict = _verdict(one.raised_s, one.horizon_s, onset_s, truth)
    lead_s = onset_s - one.raised_s if onset_s is not None and verdict == "foreseen" else None
    return Alarm(one.place[1], one.raised_s - truth.begun_s, one.score, verdict, lead_s, one.reasons)


def _verdict(raised_s: float, horizon_s: float, onset_s: float | None, truth: Truth) -> Verdict:
    if onset_s is not None and onset_s <= raised_s:
        return "after"
    if onset_s is not None and onset_s <= raised_s + horizon_s:
        return "foreseen"
    return "undecided" if truth.end_s < raised_s + horizon_s and not truth.calm else "false"


def _swept(threshold: float, scores: Mapping[Place, Sequence[Score]], truth: Truth, horizon_s: float) -> Swept:
    lead_s, false = None, 0
    for place, points in scores.items():
        onset_s = truth.onsets.get(place)
        until_s = truth.end_s if onset_s is None else onset_s
        for paged_s in _pages(points, threshold, horizon_s, truth.begun_s, until_s):
            if onset_s is None or onset_s > paged_s + horizon_s:
                false += 1
            elif place == truth.first and lead_s is None:
                lead_s = onset_s - paged_s
    return Swept(threshold, lead_s, false)


def _pages(
    points: Sequence[Score], threshold: float, horizon_s: float, from_s: float, until_s: float
) -> Iterator[float]:
    """When the alert book would page: at most once per horizon."""
    for time_s, score in points:
        if score >= threshold and from_s <= time_s < until_s:
            yield time_s
            from_s = time_s + horizon_s
