"""Whether a change is one client's, or everybody's: then something happened to all of them, and nobody is to blame.

A flash crowd, the rush after an outage, links that a release has broken: those who are known and usually right change
together. Newcomers do not count here, or an attacker could hide behind many addresses of his own.
"""

from collections import deque
from statistics import median

from foregate.abuse.client import MINUTE_S, SLICE_S

GROWTHS_MAX = 1_001  # per slice; further ones would not move the median
GROWTHS_MIN = 5  # fewer clients are no crowd
ACTIVE_MIN = 1.0  # requests per slice that are usual for a client whose growth says anything
TRIPPED_SHARE = 0.05  # of the known clients that are here: so many do not go bad within a minute by themselves
TRIPPED_MIN = 5
SEEN_MAX = 20_000  # known clients counted per minute; beyond it the share is taken of these
RATE, BAD = "rate", "bad"  # the ways in which clients change: they ask more, or what they ask is wrong
_REMEMBERED = 5  # slices for which a rush still excuses


class Crowd:
    """Told how every known client does; asked before one of them is blamed."""

    def __init__(self) -> None:
        self._slice = 0
        self._growths: list[float] = []
        self._medians: deque[float] = deque(maxlen=_REMEMBERED)
        self._seen: set[str] = set()
        self._seen_before = 0
        self._alike = {RATE: 0, BAD: 0}  # how many of `_tripped` are of the last minute
        self._tripped: dict[tuple[str, str], float] = {}  # (way, subject) → when; at most 2 `SEEN_MAX`

    def at(self, slice_: int) -> None:
        """Time has come so far."""
        if slice_ <= self._slice:
            return
        if self._growths:
            enough = len(self._growths) >= GROWTHS_MIN
            self._medians.append(median(self._growths) if enough else 1.0)
            self._growths.clear()
        if slice_ * SLICE_S // MINUTE_S != self._slice * SLICE_S // MINUTE_S:
            self._seen_before = len(self._seen)
            self._seen.clear()
        if self._tripped:
            since_s = slice_ * SLICE_S - MINUTE_S
            self._tripped = {who: at_s for who, at_s in self._tripped.items() if at_s >= since_s}
            self._alike = {way: sum(1 for said, _ in self._tripped if said == way) for way in self._alike}
        self._slice = slice_

    def note(self, subject: str, asked: float, usual: float) -> None:
        """A known client asked so much in a slice, of which so much is usual."""
        if len(self._seen) < SEEN_MAX:
            self._seen.add(subject)
        if usual >= ACTIVE_MIN and len(self._growths) < GROWTHS_MAX:
            self._growths.append(asked / usual)

    @property
    def growth(self) -> float:
        """How many times more than usual everybody asks of late; never less than 1."""
        return max((1.0, *self._medians))

    def trip(self, subject: str, way: str, time_s: float) -> None:
        """A known client looks like an abuser in this way."""
        if (way, subject) not in self._tripped:
            if len(self._tripped) >= 2 * SEEN_MAX:
                return
            self._alike[way] += 1
        self._tripped[way, subject] = time_s

    def is_everybody(self, way: str) -> bool:
        """Whether so many known clients look like that of late that it is none of their doing."""
        return self._alike[way] >= max(TRIPPED_MIN, TRIPPED_SHARE * max(len(self._seen), self._seen_before))
