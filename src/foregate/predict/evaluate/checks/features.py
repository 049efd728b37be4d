"""What the past says about an endpoint at a moment: its own failures, its neighbours', the hour, its latency.

Pure functions of a `Source`, all of them causal: nothing recorded after a moment changes its features. None is an
absolute latency, a name, or how often the recorder writes: those tell sources apart, not failures.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.checks.latency import latency_features
from foregate.predict.evaluate.checks.load import Floats
from foregate.predict.evaluate.checks.timeline import DAY_S, HOUR_S, Source, Track

DECAYS_H: Final = (1, 6, 24, 72, 168, 720)
NEVER_H: Final = 10_000.0  # stands for "not yet": longer than a year
_OUTAGE_H_MAX: Final = 240.0
_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Feature:
    """`monotone`: 1 where a higher value can only mean more risk, −1 where only less, 0 where either may hold."""

    name: str
    monotone: int


def _catalogue() -> tuple[Feature, ...]:
    own = [Feature(f"own_failures_{h}h", 1) for h in DECAYS_H]
    near = [Feature(f"neighbour_failures_{h}h", 1) for h in DECAYS_H]
    return (
        *own,
        Feature("own_rate", 1),
        Feature("hours_since_recovery", -1),
        Feature("hours_since_onset", -1),
        Feature("last_outage_hours", 0),
        Feature("down_share_week", 1),
        Feature("quick_relapses", 1),
        Feature("gap_progress", 0),
        Feature("age_days", 0),
        *near,
        Feature("neighbours_down", 1),
        Feature("neighbours_failed_day", 1),
        Feature("neighbour_hours_since", -1),
        Feature("source_rate", 1),
        Feature("shared_fate", 0),
        Feature("fate_now", 1),
        Feature("same_hours_week", 1),
        Feature("same_hours_excess", 1),
        Feature("latency_ratio", 0),
        Feature("latency_z", 0),
        Feature("latency_ewma_z", 0),
    )


FEATURES: Final = _catalogue()
NAMES: Final = tuple(feature.name for feature in FEATURES)


def features(source: Source) -> NDArray[np.float32]:
    """All features at all hours, shape (len(FEATURES), E, H). Raises nothing: what is not there yet has a value."""
    columns = _own(source) | _neighbours(source) | _hours(source) | latency_features(source)
    return np.stack([columns[name] for name in NAMES]).astype(np.float32)


def decayed(event_s: Floats, time_s: Floats, decay_s: float) -> Floats:
    """Σ exp(−(t − s) / decay) over the events s ≤ t, at each t; both ascending; O(events + moments)."""
    at_event = np.zeros(len(event_s) + 1)
    for i, share in enumerate(np.exp(-np.diff(event_s, prepend=event_s[:1]) / decay_s)):
        at_event[i + 1] = at_event[i] * share + 1.0
    index = np.searchsorted(event_s, time_s, side="right")
    age_s = time_s - np.append(event_s, 0.0)[index - 1]
    result: Floats = at_event[index] * np.exp(-np.where(index > 0, age_s, 0.0) / decay_s)  # at_event[0] is 0
    return result


def since_h(event_s: Floats, time_s: Floats) -> Floats:
    """Hours since the last event at or before each time, `NEVER_H` before the first."""
    index = np.searchsorted(event_s, time_s, side="right")
    hours = (time_s - np.append(event_s, 0.0)[index - 1]) / HOUR_S
    return np.where(index > 0, np.minimum(hours, NEVER_H), NEVER_H)


def count(event_s: Floats, time_s: Floats) -> Floats:
    """How many events lie at or before each time."""
    return np.searchsorted(event_s, time_s, side="right").astype(np.float64)


def age_days(source: Source) -> Floats:
    """Days since each endpoint's first record, 0 before it; shape (E, H)."""
    first = np.array([track.history.time_s[0] for track in source.tracks])
    result: Floats = np.maximum(source.time_s - first[:, None], 0.0) / DAY_S
    return result


def _own(source: Source) -> dict[str, Floats]:
    time_s, age = source.time_s, age_days(source)
    onsets = [track.onset_s for track in source.tracks]
    failures = np.stack([count(o, time_s) for o in onsets])
    columns = {f"own_failures_{h}h": np.stack([decayed(o, time_s, h * HOUR_S) for o in onsets]) for h in DECAYS_H}
    pooled = (failures.sum(axis=0) + 0.5) / (age.sum(axis=0) + 30.0)
    columns["own_rate"] = np.log((failures + 7.0 * pooled) / (age + 7.0))  # drawn towards its source's rate by a week
    columns["source_rate"] = np.broadcast_to(np.log(pooled), age.shape)
    columns["age_days"] = np.log1p(age)
    recoveries = np.stack([since_h(track.recovery_s, time_s) for track in source.tracks])
    columns["hours_since_recovery"] = np.log1p(recoveries)
    columns["hours_since_onset"] = np.log1p(np.stack([since_h(o, time_s) for o in onsets]))
    columns["down_share_week"] = _decayed_share(source.down, _DAYS * 24.0)
    pasts = [_past(track, time_s) for track in source.tracks]
    for name in ("last_outage_hours", "quick_relapses", "gap_progress"):
        columns[name] = np.stack([past[name] for past in pasts])
    return columns


def _decayed_share(state: NDArray[np.bool_], decay_h: float) -> Floats:
    """The exponentially weighted share of hours in a state, shape as given."""
    keep = np.exp(-1.0 / decay_h)
    shares = np.zeros(state.shape)
    share = np.zeros(len(state))
    for hour in range(state.shape[1]):
        share = keep * share + (1 - keep) * state[:, hour]
        shares[:, hour] = share
    return shares


def _past(track: Track, time_s: Floats) -> dict[str, Floats]:
    """The last outage's length; how many of the last five gaps between failures were below 6 h; how far the gap is on.

    `gap_progress`: log of the time since the last onset over the median of the last ten gaps; 0 without two gaps.
    """
    onset_s, recovery_s = track.onset_s, track.recovery_s
    ended = np.searchsorted(recovery_s, time_s, side="right")
    begun = np.searchsorted(onset_s, np.append(recovery_s, 0.0)[ended - 1], side="right")
    both = (ended > 0) & (begun > 0)
    length = np.append(recovery_s, 0.0)[ended - 1] - np.append(onset_s, 0.0)[begun - 1]
    outage = np.where(both, np.minimum(length / HOUR_S, _OUTAGE_H_MAX), 0.0)
    gaps = np.diff(onset_s)
    seen = np.maximum(np.searchsorted(onset_s, time_s, side="right") - 1, 0)  # gaps that are over
    relapses = np.array([(gaps[max(i - 5, 0) : i] < 6 * HOUR_S).sum() for i in range(len(gaps) + 1)], dtype=np.float64)
    medians = np.array([np.median(gaps[max(i - 10, 0) : i]) if i >= 2 else np.nan for i in range(len(gaps) + 1)])
    ratio = since_h(onset_s, time_s) * HOUR_S / np.maximum(medians[seen], HOUR_S)
    progress = np.where(np.isfinite(medians[seen]), np.log(np.maximum(ratio, 1e-3)), 0.0)
    return {"last_outage_hours": np.log1p(outage), "quick_relapses": relapses[seen], "gap_progress": progress}


def _neighbours(source: Source) -> dict[str, Floats]:
    """What the source's other endpoints do: a cause that they share shows there as well."""
    time_s, known = source.time_s, source.known
    others = np.maximum(known.sum(axis=0) - known, 1.0)
    columns = {}
    onsets = [track.onset_s for track in source.tracks]
    for h in DECAYS_H:
        own = np.stack([decayed(o, time_s, h * HOUR_S) for o in onsets])
        columns[f"neighbour_failures_{h}h"] = (own.sum(axis=0) - own) / others
    columns["neighbours_down"] = (source.down.sum(axis=0) - source.down) / others
    since = np.stack([since_h(o, time_s) for o in onsets])
    day = (since <= 24.0) & known
    columns["neighbours_failed_day"] = (day.sum(axis=0) - day) / others
    columns["neighbour_hours_since"] = np.log1p(_least_of_others(since))
    share = np.stack([_shared(source, i) for i in range(len(onsets))])
    columns["shared_fate"] = share
    columns["fate_now"] = share * np.exp(-_least_of_others(since) / 6.0)
    return columns


def _least_of_others(values: Floats) -> Floats:
    """For each row the least of all other rows, `NEVER_H` where there is none; shape as given."""
    if len(values) < 2:
        return np.full(values.shape, NEVER_H)
    lowest = np.argmin(values, axis=0)
    two = np.partition(values, 1, axis=0)[:2]
    result: Floats = np.where(np.arange(len(values))[:, None] == lowest, two[1], two[0])
    return result


def _shared(source: Source, mine: int) -> Floats:
    """The share of an endpoint's failures within an hour after a neighbour's, drawn to 0 by one; shape (H,)."""
    onset_s = source.tracks[mine].onset_s
    rest = [track.onset_s for i, track in enumerate(source.tracks) if i != mine]
    others = np.sort(np.concatenate([*rest, np.zeros(0)]))
    near = since_h(others, onset_s) <= 1.0
    hits = np.append(0.0, np.cumsum(near))
    failures = np.searchsorted(onset_s, source.time_s, side="right")
    result: Floats = hits[failures] / (failures + 1.0)
    return result


def _hours(source: Source) -> dict[str, Floats]:
    """Failures of the last seven days in the six hours of the day that come next, and by how much more than chance."""
    width = 6
    shape = (len(source.tracks), source.hours)
    total = np.zeros((shape[0], shape[1] + 1))
    for row, track in zip(total, source.tracks, strict=True):
        row[1:] = count(track.onset_s, source.time_s)
    week = np.zeros(shape)
    hour = np.arange(source.hours)
    for day in range(1, _DAYS + 1):
        low = np.clip(hour - 24 * day + 1, 0, source.hours)
        week += total[:, np.clip(low + width, 0, source.hours)] - total[:, low]
    all_week = total[:, 1:] - total[:, np.clip(hour - 24 * _DAYS + 1, 0, source.hours)]
    return {"same_hours_week": week, "same_hours_excess": week - all_week * width / 24.0}
