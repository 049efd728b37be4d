"""The endpoints of one source on a common grid of hours: what was known of each at each moment, and what came after.

A recorder of status pages writes a line when the state changes and one a day, so between two lines the state is that
of the first. After `SILENCE_S_MAX` without a line the recorder itself may be gone, and the state is unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.checks.load import ChecksError, Floats, History

HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
SILENCE_S_MAX: Final = 26 * HOUR_S  # a day, and two hours for a recorder that waits its turn
MOMENTS_MAX: Final = 8_000_000  # hours of endpoints, known or not; beyond it the file is refused


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One endpoint's changes of state. `onset_s`: up → down; `recovery_s`: down → up; Unix seconds, ascending.

    A history that begins down has no onset for it: nobody saw it begin.
    """

    history: History
    onset_s: Floats
    recovery_s: Floats


@dataclass(frozen=True, eq=False)
class Source:
    """E endpoints watched by one recorder, at H whole hours (Unix time), the first at `start_s`.

    Everything here but `after_s` and `covered_s` is known at the hour itself.
    """

    name: str
    start_s: float
    hours: int
    tracks: tuple[Track, ...]

    @cached_property
    def time_s(self) -> Floats:
        """Shape (H,)."""
        return self.start_s + HOUR_S * np.arange(self.hours, dtype=np.float64)

    @cached_property
    def last(self) -> NDArray[np.intp]:
        """The index of each endpoint's last record at or before each hour, −1 before the first; shape (E, H)."""
        return np.stack([np.searchsorted(t.history.time_s, self.time_s, side="right") - 1 for t in self.tracks])

    @cached_property
    def silence_s(self) -> Floats:
        """Seconds since the last record, infinite before the first; shape (E, H)."""
        found = np.stack([t.history.time_s[i] for t, i in zip(self.tracks, self.last, strict=True)])
        return np.where(self.last >= 0, self.time_s - found, np.inf)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        return self.silence_s <= SILENCE_S_MAX

    @cached_property
    def down(self) -> NDArray[np.bool_]:
        """Known to be down, shape (E, H)."""
        states = np.stack([t.history.down[i] for t, i in zip(self.tracks, self.last, strict=True)])
        return states & self.known

    def after_s(self) -> Floats:
        """Seconds to the next onset, infinite when none comes; shape (E, H). The future: labels alone may read it."""
        return np.stack([_next(t.onset_s, self.time_s) for t in self.tracks])

    def covered_s(self) -> Floats:
        """Seconds for which the state stays known, at least; shape (E, H). The future: labels alone may read it.

        What comes after the last record before a silence, or before the end, is unknown.
        """
        rows = []
        for track, last in zip(self.tracks, self.last, strict=True):
            time_s = track.history.time_s
            ends = np.append(np.diff(time_s) > SILENCE_S_MAX, True)  # records that nothing follows in time
            until = time_s[ends][np.searchsorted(np.flatnonzero(ends), np.maximum(last, 0))]
            rows.append(np.where(last >= 0, until - self.time_s, -np.inf))
        return np.stack(rows)


def sources(histories: Sequence[History]) -> tuple[Source, ...]:
    """The histories by source. Raises ChecksError when they span more than `MOMENTS_MAX` hours."""
    made = []
    moments = 0
    for name, group in groupby(histories, key=lambda history: history.source):
        tracks = tuple(_track(history) for history in group)
        first = min(track.history.time_s[0] for track in tracks)
        start = np.ceil(first / HOUR_S) * HOUR_S
        end = max(track.history.time_s[-1] for track in tracks)
        hours = max(int((end - start) // HOUR_S) + 1, 1)
        moments += hours * len(tracks)
        if moments > MOMENTS_MAX:
            raise ChecksError(f"the histories span more than {MOMENTS_MAX} endpoint hours: judge fewer sources at once")
        made.append(Source(name, float(start), hours, tracks))
    return tuple(made)


def _track(history: History) -> Track:
    change = np.diff(history.down.astype(np.int8))
    return Track(history, history.time_s[1:][change > 0], history.time_s[1:][change < 0])


def _next(event_s: Floats, time_s: Floats) -> Floats:
    following = np.append(event_s, np.inf)[np.searchsorted(event_s, time_s, side="right")]
    result: Floats = following - time_s
    return result
