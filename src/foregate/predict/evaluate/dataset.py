"""Examples from recordings: the features at each moment, and what really happened next."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foregate.predict.analyst import Analyst, Sight
from foregate.predict.evaluate.recording import FaultNote, Recording
from foregate.predict.failures import BAD_IN_A_ROW, GOOD_BEFORE_MIN, HORIZON_S
from foregate.predict.features import FEATURES
from foregate.predict.history import COLUMN, Floats
from foregate.wire.entity import Entity

RAW_COLUMNS = ("p95_ms", "usual_p95_ms", "error_rate", "p95_slope_ms_per_min", "p50_ms")  # for the baselines alone
TAIL_S = 600.0  # an effect may show for so long after its cause has ended


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch of bad minutes of one entity; a failure when `failed`. Times in Unix seconds."""

    first_s: float
    last_s: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Onset:
    """A failure: which series, when it began, and by which fault ("" when by none).

    Not `counted`: it began so late in its run that the moments before it were no longer scored. To page for it is no
    false alarm, to miss it is no miss.
    """

    series: int
    onset_s: float
    cause: str
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Examples:
    """n scorable moments. A series is one entity in one run; a run is never split between training and testing.

    features (n, F); raw (n, len(RAW_COLUMNS)); label (n,) 1 when a failure begins within the horizon; time_s, series,
    run (n,). `onsets`: all failures of the runs; `failures`: how many of them count.
    """

    features: NDArray[np.float32]
    raw: NDArray[np.float32]
    label: Floats
    time_s: Floats
    series: NDArray[np.int64]
    run: NDArray[np.int64]
    onsets: tuple[Onset, ...]
    runs: int

    @property
    def failures(self) -> int:
        return sum(onset.counted for onset in self.onsets)

    @property
    def base_rate(self) -> float:
        return float(self.label.mean()) if len(self.label) else 0.0


def spells_of(bad_starts_s: Iterable[float]) -> list[Spell]:
    """Spells of bad minutes (their starts, ascending), by the definition in `predict.failures`."""
    spells: list[list[float]] = []
    for start_s in bad_starts_s:
        if spells and start_s - spells[-1][-1] <= GOOD_BEFORE_MIN * 60:
            spells[-1].append(start_s)
        else:
            spells.append([start_s])
    return [Spell(minutes[0], minutes[-1], _longest_row(minutes) >= BAD_IN_A_ROW) for minutes in spells]


def _longest_row(minutes: list[float]) -> int:
    longest = row = 1
    for before, after in itertools.pairwise(minutes):
        row = row + 1 if after - before == 60 else 1
        longest = max(longest, row)
    return longest


def examples(recordings: Iterable[Recording], horizon_s: int = HORIZON_S, every_s: int = 10) -> Examples:
    """Every healthy moment of the recordings whose horizon lies within its run, each `every_s` seconds."""
    parts: list[_Rows] = []
    onsets: list[Onset] = []
    series_count = 0
    runs = 0
    for runs, recording in enumerate(recordings, start=1):
        truth = _truth(recording)
        index = {entity: series_count + i for i, entity in enumerate(truth)}
        series_count += len(index)
        parts.append(_rows(recording, truth, index, runs - 1, horizon_s, every_s))
        onsets.extend(
            Onset(
                index[entity],
                spell.first_s,
                cause_of(recording.faults, entity, spell.first_s),
                spell.first_s <= _scored_until_s(recording, horizon_s),
            )
            for entity, spells in truth.items()
            for spell in spells
            if spell.failed
        )
    return _join(parts, tuple(onsets), runs)


def cause_of(faults: tuple[FaultNote, ...], entity: Entity, onset_s: float) -> str:
    """The kind of the latest fault that was on, or had ended shortly before, when the failure began.

    One that befell the entity's own service goes before one elsewhere (which reaches it through a dependency).
    """
    on = [f for f in faults if f.start_s <= onset_s + 60 and onset_s <= f.start_s + f.duration_s + TAIL_S]
    own = [f for f in on if f.service == entity.service]
    return max(own or on, key=lambda f: f.start_s).kind if on else ""


def _truth(recording: Recording) -> dict[Entity, list[Spell]]:
    bad: dict[Entity, list[float]] = {}
    for moment in recording.moments:
        for entity, minute in moment.minutes:
            starts = bad.setdefault(entity, [])
            if minute.bad:
                starts.append(minute.start_s)
    return {entity: spells_of(sorted(starts)) for entity, starts in sorted(bad.items())}


def _scored_until_s(recording: Recording, horizon_s: int) -> float:
    """The last moment whose horizon, and the proof of a failure that begins in it, lie within the run."""
    return recording.epoch_s + recording.duration_s - horizon_s - BAD_IN_A_ROW * 60


@dataclass(frozen=True, slots=True)
class _Rows:
    features: NDArray[np.float32]
    raw: NDArray[np.float32]
    label: list[float]
    time_s: list[float]
    series: list[int]
    run: int


def _rows(
    recording: Recording,
    truth: dict[Entity, list[Spell]],
    index: dict[Entity, int],
    run: int,
    horizon_s: int,
    every_s: int,
) -> _Rows:
    analyst = Analyst(None, threshold=0.5, horizon_s=horizon_s)
    end_s = _scored_until_s(recording, horizon_s)
    kept: list[tuple[Sight, float, int]] = []
    for moment in recording.moments:
        analyst.learn(moment.minutes)
        if moment.time_s > end_s or moment.time_s % every_s:
            continue
        for sight in analyst.sights(moment.ticks):
            spells = truth.get(sight.tick.entity, [])
            if _healthy(spells, moment.time_s):
                kept.append((sight, _label(spells, moment.time_s, horizon_s), index[sight.tick.entity]))
    return _Rows(
        np.array([sight.values for sight, _, _ in kept], dtype=np.float32).reshape(-1, len(FEATURES)),
        np.array([_raw(sight) for sight, _, _ in kept], dtype=np.float32).reshape(-1, len(RAW_COLUMNS)),
        [label for _, label, _ in kept],
        [sight.tick.time_s for sight, _, _ in kept],
        [series for _, _, series in kept],
        run,
    )


def _healthy(spells: list[Spell], time_s: float) -> bool:
    """Not within a spell, nor in the ten minutes after it, when no new failure can begin by definition."""
    return not any(s.first_s < time_s < s.last_s + 60 + GOOD_BEFORE_MIN * 60 for s in spells)


def _label(spells: list[Spell], time_s: float, horizon_s: int) -> float:
    return float(any(s.failed and time_s <= s.first_s <= time_s + horizon_s for s in spells))


def _raw(sight: Sight) -> tuple[float, ...]:
    view = sight.view
    usual = view.usual_of("p95_ms")
    slope = float(view.slope_5m[3]) * max(usual, 1.0)
    return (view.value_of("p95_ms"), usual, view.value_of("error_rate"), slope, float(view.values[COLUMN["p50_ms"]]))


def _join(parts: list[_Rows], onsets: tuple[Onset, ...], runs: int) -> Examples:
    return Examples(
        np.vstack([p.features for p in parts]) if parts else np.zeros((0, len(FEATURES)), dtype=np.float32),
        np.vstack([p.raw for p in parts]) if parts else np.zeros((0, len(RAW_COLUMNS)), dtype=np.float32),
        np.array([label for p in parts for label in p.label]),
        np.array([time_s for p in parts for time_s in p.time_s]),
        np.array([series for p in parts for series in p.series], dtype=np.int64),
        np.array([p.run for p in parts for _ in p.label], dtype=np.int64),
        onsets,
        runs,
    )


def together(parts: list[Examples]) -> Examples:
    """Several examples as one; their runs and series stay apart. Raises ValueError for none."""
    if not parts:
        raise ValueError("there are no examples")
    series_at = np.cumsum([0, *(_series_count(p) for p in parts)])
    run_at = np.cumsum([0, *(p.runs for p in parts)])
    return Examples(
        np.vstack([p.features for p in parts]),
        np.vstack([p.raw for p in parts]),
        np.concatenate([p.label for p in parts]),
        np.concatenate([p.time_s for p in parts]),
        np.concatenate([p.series + at for p, at in zip(parts, series_at, strict=False)]),
        np.concatenate([p.run + at for p, at in zip(parts, run_at, strict=False)]),
        tuple(replace(o, series=o.series + int(at)) for p, at in zip(parts, series_at, strict=False) for o in p.onsets),
        sum(p.runs for p in parts),
    )


def selected(of: Examples, moments: NDArray[np.bool_]) -> Examples:
    """Some of the moments; runs, series and failures keep their numbers."""
    return replace(
        of,
        features=of.features[moments],
        raw=of.raw[moments],
        label=of.label[moments],
        time_s=of.time_s[moments],
        series=of.series[moments],
        run=of.run[moments],
    )


def _series_count(part: Examples) -> int:
    named = [*part.series.tolist(), *(onset.series for onset in part.onsets)]
    return max(named, default=-1) + 1
