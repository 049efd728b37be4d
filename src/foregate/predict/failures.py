"""What counts as a failure, decided from closed minutes: the definition that labels, alerts and evaluation share.

Bad minute: `WindowStats.bad` (5xx and timeouts ≥ 5 % of the requests, and at least 5 of them).
Failure: a spell of bad minutes with at least three in a row. Its onset is the start of the spell's first bad minute; a
spell begins after ten good minutes (at an entity's beginning: after as many as there are), so a stray bad minute
shortly before the rest belongs to the spell, and no lead is flattered by leaving it out. A minute without traffic is
not bad.
"""

from typing import Final

from foregate.kernel.limits import ENTITIES_MAX
from foregate.wire.budget import HORIZON_S
from foregate.wire.entity import Entity
from foregate.wire.window import WindowStats

BAD_IN_A_ROW: Final = 3
GOOD_BEFORE_MIN: Final = 10
LEAD_S_MIN: Final = 120.0  # a shorter warning is no warning


__all__ = ["BAD_IN_A_ROW", "GOOD_BEFORE_MIN", "HORIZON_S", "LEAD_S_MIN", "FailureTracker", "Failures"]


class FailureTracker:
    """Follows the closed minutes of one entity, in order."""

    __slots__ = ("_first_bad_s", "_in_a_row", "_last_bad_s", "onset_s")

    def __init__(self) -> None:
        self._first_bad_s: float | None = None  # of the present spell
        self._last_bad_s: float | None = None
        self._in_a_row = 0
        self.onset_s: float | None = None  # of the present spell, once it is a failure

    def observe(self, minute: WindowStats) -> float | None:
        """The onset (Unix seconds, start of the first bad minute) when this minute completes a failure, else None."""
        if not minute.bad:
            self._in_a_row = 0
            # A minute from before the last bad one: the clock was set back, and nothing else would end the spell.
            if self._last_bad_s is not None and not 0 <= minute.start_s - self._last_bad_s <= GOOD_BEFORE_MIN * 60:
                self._first_bad_s = self._last_bad_s = self.onset_s = None
            return None
        gap_s = None if self._last_bad_s is None else minute.start_s - self._last_bad_s
        if gap_s is None or gap_s > GOOD_BEFORE_MIN * 60 or gap_s < 0:
            self._first_bad_s, self.onset_s, self._in_a_row = minute.start_s, None, 0
        self._in_a_row = self._in_a_row + 1 if gap_s == 60 else 1
        self._last_bad_s = minute.start_s
        if self._in_a_row >= BAD_IN_A_ROW and self.onset_s is None:
            self.onset_s = self._first_bad_s
            return self.onset_s
        return None

    def suspect_since_s(self) -> float | None:
        """The first bad minute of a spell that is not yet a failure but may become one, else None."""
        return self._first_bad_s if self.onset_s is None else None

    def eligible(self, time_s: float) -> bool:
        """Whether a new failure could begin now: no bad minute within the last ten."""
        return self._last_bad_s is None or time_s - (self._last_bad_s + 60) >= GOOD_BEFORE_MIN * 60


class Failures:
    """The trackers of all entities that had a bad minute; the rest need none.

    An entity that dies in a bad spell keeps its tracker: beyond `entities_max` the oldest one goes.
    """

    def __init__(self, entities_max: int = ENTITIES_MAX) -> None:
        self._entities_max = entities_max
        self._trackers: dict[Entity, FailureTracker] = {}

    def __len__(self) -> int:
        return len(self._trackers)

    def observe(self, entity: Entity, minute: WindowStats) -> float | None:
        """See `FailureTracker.observe`."""
        tracker = self._trackers.get(entity)
        if tracker is None:
            if not minute.bad:
                return None
            if len(self._trackers) >= self._entities_max:
                del self._trackers[next(iter(self._trackers))]
            tracker = self._trackers[entity] = FailureTracker()
        onset_s = tracker.observe(minute)
        if not minute.bad and tracker.suspect_since_s() is None and tracker.onset_s is None:
            del self._trackers[entity]
        return onset_s

    def eligible(self, entity: Entity, time_s: float) -> bool:
        tracker = self._trackers.get(entity)
        return tracker is None or tracker.eligible(time_s)

    def suspect_since_s(self, entity: Entity) -> float | None:
        tracker = self._trackers.get(entity)
        return tracker.suspect_since_s() if tracker else None
