"""Whether a model still fits: the features it judges by against those it learned from, and what came of its alerts.

Population stability index per feature over ten quantile bins of the training features and one for "not known":
Σ (now − then) · ln(now / then). By custom below 0.1 nothing has changed, from 0.25 on much has (Siddiqi, Credit Risk
Scorecards, 2006). Features weigh as much as the model heeds them. What alerts came to is held against what was promised
with intervals that chance leaves in one of a hundred cases.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from foregate.wire.models import Fit

BINS: Final = 10
SOME: Final = 0.1  # population stability index
MUCH: Final = 0.25
DRIFTING_SHARE: Final = 0.1  # of the features' weight that has changed much …
LOST_SHARE: Final = 0.3  # … and from which on the model judges by something else than it learned
DAYS_KEPT: Final = 7  # of counts: a whole week, so that a weekend alone is no shift
ROWS_MIN: Final = 2_000  # fewer say nothing; ten bins then vary by some 0.005 by chance
SPAN_S_MIN: Final = 86_400.0  # at least a day: the night differs from the day on every system
ROWS_A_CALL_MAX: Final = 2_000  # of more, evenly chosen ones are counted: the cost of a minute has a bound
ALERTS_MIN: Final = 10
FALSE_ALARMS_FACTOR: Final = 1.25
NAMED_MAX: Final = 3  # features in a sentence
_Z: Final = 2.576  # two-sided 99 %
_DAY_S: Final = 86_400.0
_NEVER_S: Final = 1e300
_SMOOTH: Final = 0.5  # counted in each bin beforehand, so that an empty one is no infinity

Floats = NDArray[np.float64]


class Reference(msgspec.Struct, frozen=True):
    """What a model learned from: per feature the inner edges of its bins, and the share of moments in each (unknown
    last); how much the model heeds it (sum 1); the share of moments before a failure."""

    features: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    rows: int
    base_rate: float


def reference_of(
    rows: NDArray[np.floating], labels: NDArray[np.floating], names: Sequence[str], weights: Mapping[str, float]
) -> Reference:
    """`rows`: (n, F) training features, NaN where not known; `labels`: (n,). A feature without a weight weighs 0."""
    edges = tuple(_edges(rows[:, f]) for f in range(rows.shape[1]))
    counts = [_count(rows[:, f], np.asarray(edge)) for f, edge in enumerate(edges)]
    total = sum(weights.get(name, 0.0) for name in names) or 1.0
    return Reference(
        features=tuple(names),
        edges=edges,
        shares=tuple(tuple((count / max(len(rows), 1)).tolist()) for count in counts),
        weights=tuple(weights.get(name, 0.0) / total for name in names),
        rows=len(rows),
        base_rate=float(np.mean(labels)) if len(labels) else 0.0,
    )


def encode_reference(reference: Reference) -> bytes:
    """To lie beside the model."""
    return msgspec.json.encode(reference)


def decode_reference(content: bytes) -> Reference:
    """Raises ValueError where it is damaged or contradicts itself."""
    found = msgspec.json.decode(content, type=Reference)
    count = len(found.features)
    fits = len(found.edges) == len(found.shares) == len(found.weights) == count
    if not fits or any(len(s) != len(e) + 2 for e, s in zip(found.edges, found.shares, strict=True)):
        raise ValueError("the reference of the model contradicts itself")
    return found


class Alarms(NamedTuple):
    """What came of the alerts of a model: (n,) scores when raised and whether a failure followed; over how many days of
    how many APIs together (0: not known, then nothing is said of false alarms); and how many false ones an API and day
    may have (None: somebody set a score instead, and nobody promised a number)."""

    scores: Floats
    failed: NDArray[np.bool_]
    api_days: float
    budget: float | None


class Verdict(NamedTuple):
    """`sentences`: the grounds, for people; `stability`: population stability index by feature, None if unknown."""

    state: Fit
    sentences: tuple[str, ...]
    rows: int
    stability: Mapping[str, float] | None


class _Counted(msgspec.Struct):
    days: list[list[list[int]]]
    moments: list[float]
    day: int
    first_s: float
    last_s: float


class ShiftWatch:
    """Counts the features of a running model by bin, over the last `DAYS_KEPT` days. Memory: F × 12 × 7 numbers."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._edges = [np.asarray(edge) for edge in reference.edges]
        self._forget()

    def _forget(self) -> None:
        self._days = np.zeros((DAYS_KEPT, len(self._reference.features), BINS + 1))
        self._moments = np.zeros(DAYS_KEPT)  # all that were judged, those that were not counted too
        self._day = -1  # the newest one counted, in days since 1970
        self._first_s, self._last_s = _NEVER_S, -_NEVER_S

    def observe(self, rows: NDArray[np.floating], time_s: float) -> None:
        """Features (n, F) of entities that were judged at `time_s`. Once a minute is enough. Rows of more than a day
        ago are left out; of longer ago than is kept, the clock was ahead before, and all is counted anew."""
        day = int(time_s // _DAY_S)
        if not len(rows) or self._day - DAYS_KEPT <= day < self._day - 1:
            return
        if day < self._day - DAYS_KEPT:
            self._forget()
        self._begin(day)
        self._first_s, self._last_s = min(self._first_s, time_s), max(self._last_s, time_s)
        step = -(-len(rows) // ROWS_A_CALL_MAX)
        into = self._days[day % DAYS_KEPT]
        self._moments[day % DAYS_KEPT] += len(rows)
        for f, edges in enumerate(self._edges):
            counted = _count(rows[::step, f], edges)
            into[f, : len(counted) - 1] += counted[:-1]
            into[f, -1] += counted[-1]

    def _begin(self, day: int) -> None:
        for new in range(max(self._day + 1, day - DAYS_KEPT + 1), day + 1):
            self._days[new % DAYS_KEPT] = 0.0
            self._moments[new % DAYS_KEPT] = 0.0
        self._day = max(day, self._day)
        self._first_s = max(self._first_s, (day - DAYS_KEPT + 1) * _DAY_S)

    @property
    def rows(self) -> int:
        return int(self._days[:, 0].sum()) if self._reference.features else 0

    @property
    def since_s(self) -> float:
        """Since when what it has counted is whole; far in the future while that is nothing."""
        return self._first_s

    @property
    def api_days(self) -> float:
        """How long APIs were judged, all together, where one is judged once a minute."""
        return float(self._moments.sum()) / 1_440

    def dump(self) -> bytes:
        """What it has counted, for the next process."""
        counts = self._days.astype(int).tolist()
        return msgspec.json.encode(_Counted(counts, self._moments.tolist(), self._day, self._first_s, self._last_s))

    def load(self, content: bytes) -> None:
        """Go on with what `dump` gave. Raises ValueError where it is damaged or of another model."""
        found = msgspec.json.decode(content, type=_Counted)
        days = np.array(found.days, dtype=np.float64)
        if days.shape != self._days.shape or len(found.moments) != DAYS_KEPT:
            raise ValueError("these counts are of another model")
        self._days, self._moments, self._day = days, np.array(found.moments), found.day
        self._first_s, self._last_s = found.first_s, found.last_s

    def stability(self) -> dict[str, float]:
        """Population stability index by feature."""
        counts = self._days.sum(axis=0)
        found = {}
        for f, (name, shares) in enumerate(zip(self._reference.features, self._reference.shares, strict=True)):
            now = np.append(counts[f, : len(shares) - 1], counts[f, -1])
            found[name] = _index(np.asarray(shares) * self._reference.rows, now)
        return found

    def verdict(self, alarms: Alarms | None = None) -> Verdict:
        """Fits, drifting, or no longer fits; unknown before a day of traffic has been seen."""
        said = alarm_sentences(alarms) if alarms is not None else ()
        if self.rows < ROWS_MIN or self._last_s - self._first_s < SPAN_S_MIN:
            if said:
                return Verdict("no longer fits", said, self.rows, None)
            hours = max(0.0, self._last_s - self._first_s) / 3_600
            sentence = f"too little seen: {hours:.0f} of 24 h, {self.rows:,} of {ROWS_MIN:,} moments"
            return Verdict("unknown", (sentence,), self.rows, None)
        stability = self.stability()
        weight = dict(zip(self._reference.features, self._reference.weights, strict=True))
        changed = sum(weight[name] for name, index in stability.items() if index >= MUCH)
        state: Fit = "no longer fits" if said or changed >= LOST_SHARE else "fits"
        if state == "fits" and changed >= DRIFTING_SHARE:
            state = "drifting"
        return Verdict(state, (*_feature_sentences(stability, weight, changed), *said), self.rows, stability)


def alarm_sentences(alarms: Alarms) -> tuple[str, ...]:
    """What the alerts have broken of what was promised; nothing while chance may explain it."""
    said = []
    count, failed = len(alarms.scores), int(alarms.failed.sum())
    if count >= ALERTS_MIN:
        low, high = _wilson(failed, count)
        promised = float(alarms.scores.mean())
        if high < promised or low > promised:
            word = "fewer" if high < promised else "more"
            said.append(
                f"{word} of its alerts were followed by a failure than it promised: "
                f"{failed} of {count} ({low:.0%} to {high:.0%}), promised were {promised:.0%}"
            )
    if alarms.budget is not None and alarms.api_days > 0:
        false, allowed = count - failed, FALSE_ALARMS_FACTOR * alarms.budget * alarms.api_days
        if _poisson_at_least(false, allowed) < 0.01:
            said.append(
                f"{false} false alarms in {alarms.api_days:.1f} API days, more than the budget of "
                f"{alarms.budget:g} per API and day allows"
            )
    return tuple(said)


def _feature_sentences(stability: Mapping[str, float], weight: Mapping[str, float], changed: float) -> tuple[str, ...]:
    moved = [name for name, index in stability.items() if index >= SOME and weight[name] > 0]
    moved.sort(key=lambda name: -stability[name] * weight[name])
    if not moved:
        return ("no feature is spread otherwise than when it learned",)
    named = ", ".join(f"{name} ({stability[name]:.2f})" for name in moved[:NAMED_MAX])
    more = f" and {len(moved) - NAMED_MAX} more" if len(moved) > NAMED_MAX else ""
    return (f"{changed:.0%} of what it heeds is spread otherwise than when it learned: {named}{more}",)


def _edges(values: NDArray[np.floating]) -> tuple[float, ...]:
    """Inner edges at the deciles; fewer where values repeat. A value that is an edge belongs to the bin above."""
    known = values[np.isfinite(values)].astype(np.float64)
    if not known.size:
        return ()
    inner = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
    return tuple(inner.tolist())


def _count(values: NDArray[np.floating], edges: Floats) -> NDArray[np.float64]:
    """How many in each bin, and last how many are not known, shape (len(edges) + 2,)."""
    known = np.isfinite(values)
    at = np.searchsorted(edges, values[known].astype(np.float64), side="right")
    counts = np.bincount(at, minlength=len(edges) + 1).astype(np.float64)
    return np.append(counts, float(len(values) - known.sum()))


def _index(then: Floats, now: Floats) -> float:
    then, now = then + _SMOOTH, now + _SMOOTH
    p, q = then / then.sum(), now / now.sum()
    return float(((q - p) * np.log(q / p)).sum())


def _wilson(hits: int, count: int) -> tuple[float, float]:
    """Interval of a share (Wilson 1927), 99 %."""
    share, z2 = hits / count, _Z**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _poisson_at_least(count: int, mean: float) -> float:
    """P(X ≥ count), X Poisson."""
    if count == 0:
        return 1.0
    if mean <= 0:
        return 0.0
    below = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count))
    return max(0.0, 1.0 - below)
