"""Which windows answer a question: each moment of the range from exactly one of them, and as few as possible.

Windows of 10 s to 15 min are stored as they fill; hours and days are rolled up of them a little later. An hour that is
`stale` is answered from its quarters until then. Ends of the range that lie inside a window are moved outwards, to the
finest window that is still kept there.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from foregate.wire.window import ROLLED_UP_FROM, SPANS_S

ALL_SPANS_S: Sequence[int] = (*SPANS_S, *ROLLED_UP_FROM)
HOUR_S = 3_600
QUARTER_S = 900  # what an hour that is not rolled up is answered from
MISSING_S_MAX = 86_400  # a range that asks for so much more than is kept is still answered


class Piece(NamedTuple):
    """Windows of `span_s` with from_s ≤ start < until_s, both multiples of it."""

    span_s: int
    from_s: int
    until_s: int

    @property
    def windows(self) -> int:
        """How many there are of one entity, at most."""
        return (self.until_s - self.from_s) // self.span_s

    def until(self, end_s: float) -> "Piece":
        """Those of its windows that end by then; none where none does."""
        return Piece(self.span_s, self.from_s, self._border(end_s))

    def since(self, end_s: float) -> "Piece":
        """The others."""
        return Piece(self.span_s, self._border(end_s), self.until_s)

    def _border(self, end_s: float) -> int:
        return min(max(math.floor(end_s / self.span_s) * self.span_s, self.from_s), self.until_s)


class Known(NamedTuple):
    """What the store holds. `oldest_s`: span → since when it is kept, longer spans at least as long as shorter ones;
    `stale_s`: the hours that are not rolled up. Unix seconds."""

    now_s: float
    oldest_s: Mapping[int, float]
    stale_s: Collection[float] = ()


def pieces(from_s: float, until_s: float, step_s: int, known: Known, span_min_s: int = 10) -> list[Piece] | None:
    """The pieces in order of time, without gap or overlap. None: windows that fit are not kept for so long.

    `step_s` 0: the whole range is one. Else no window crosses a multiple of it. No window is finer than `span_min_s`.
    A range that begins less than a day before what is kept begins there.
    """
    fitting = [span for span in ALL_SPANS_S if span in known.oldest_s and span >= span_min_s]
    spans = sorted((span for span in fitting if step_s % span == 0), reverse=True)
    if not spans:
        return None
    oldest_s = known.oldest_s[spans[0]]
    if from_s < oldest_s - MISSING_S_MAX or until_s <= oldest_s:
        return None
    begin_s = max(from_s, oldest_s)
    first = _finest(spans, begin_s, known)
    begin = math.floor(begin_s / first) * first if begin_s == from_s else math.ceil(begin_s / first) * first
    last = _finest(spans, until_s, known)
    if until_s >= known.now_s:  # nothing lies beyond now: the windows that are open there hold it all
        last = max((span for span in spans if span <= QUARTER_S), default=last)
    end = math.ceil(until_s / last) * last
    has_quarters = spans[-1] <= QUARTER_S
    stale = {int(hour) for hour in known.stale_s if has_quarters and hour >= known.oldest_s[QUARTER_S]}
    return _joined(_split(begin, end, spans, stale, known))


def _finest(spans: Sequence[int], at_s: float, known: Known) -> int:
    """The shortest span that can fill up to the next longer window around `at_s`."""
    found = longer = spans[0]
    for span in spans[1:]:
        if known.oldest_s[span] > max(at_s // longer * longer, known.oldest_s[spans[0]]):
            break
        found = longer = span
    return found


def _split(begin: int, end: int, spans: Sequence[int], stale: Collection[int], known: Known) -> list[Piece]:
    if begin >= end or not spans:  # what is finer than the finest is not kept: see `_finest`
        return []
    span, finer = spans[0], spans[1:]
    oldest = math.ceil(known.oldest_s[span] / span) * span
    low, high = max(-(-begin // span) * span, oldest), end // span * span
    if low >= high:
        return _split(begin, end, finer, stale, known)
    found = _split(begin, low, finer, stale, known)
    at = low
    for broken in sorted({hour // span * span for hour in stale if low <= hour < high} if span >= HOUR_S else ()):
        found += [Piece(span, at, broken)] if at < broken else []
        found += _split(broken, broken + span, finer, stale, known)
        at = broken + span
    found += [Piece(span, at, high)] if at < high else []
    return found + _split(high, end, finer, stale, known)


def _joined(found: Sequence[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in found:
        if joined and joined[-1].span_s == piece.span_s and joined[-1].until_s == piece.from_s:
            joined[-1] = Piece(piece.span_s, joined[-1].from_s, piece.until_s)
        else:
            joined.append(piece)
    return joined
