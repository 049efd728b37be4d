"""Which journeys are kept whole: those with errors, the slow, the rare, and a share of the rest. Pure.

Nothing is kept by chance: a hash of the trace id decides of the rest, so that several keepers, and a keeper that does
its work again, agree. A smaller share is a subset of a larger one.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from foregate.telemetry.sketch import Sketch
from foregate.wire.survey import Journeys, KeptBecause

_ROUTES_MAX = 10_000  # whose durations are known; beyond it the one that was quiet longest is forgotten
_SEEN_MAX = 50_000  # routes and calls; likewise: it is rare once more then
_HALF_S = 300.0  # what is usual for a route is what it was in the last five to ten minutes
_JUDGED_FROM = 200  # requests of a route, before any of them is called slow
_REFRESH = 1.05  # the bound of a route is found anew when it has grown by 5 %


class Facts(NamedTuple):
    """What is asked of a trace. `features`: its routes and calls, any of which may be rare."""

    trace_id: str
    route: Hashable
    duration_ms: float
    failed: bool
    features: Iterable[Hashable]


class Sampler:
    """Decides trace by trace, in order of `now_s` (monotonic)."""

    def __init__(self, settings: Journeys) -> None:
        self._settings = settings
        self._routes: OrderedDict[Hashable, _Usual] = OrderedDict()
        self._seen: OrderedDict[Hashable, float] = OrderedDict()
        self._minute = -1
        self._rest = self._kept_rest = 0
        self._share = settings.share

    def decide(self, facts: Facts, now_s: float) -> KeptBecause | None:
        """Why it is kept, or None."""
        slow = self._is_slow(facts, now_s)  # every trace teaches what is usual, whatever becomes of it
        rare = self._is_rare(facts.features, now_s)
        if facts.failed:
            return "error"
        if slow:
            return "slow"
        if rare:
            return "rare"
        return "share" if self._has_luck(facts.trace_id, now_s) else None

    def _is_slow(self, facts: Facts, now_s: float) -> bool:
        usual = self._routes.get(facts.route)
        if usual is None:
            usual = self._routes[facts.route] = _Usual(now_s)
            if len(self._routes) > _ROUTES_MAX:
                self._routes.popitem(last=False)
        else:
            self._routes.move_to_end(facts.route)
        slow = usual.bound_ms(self._settings.slow_quantile, now_s) < facts.duration_ms
        usual.add(max(0.0, facts.duration_ms))
        return slow

    def _is_rare(self, features: Iterable[Hashable], now_s: float) -> bool:
        rare = False
        for feature in features:
            rare |= now_s - self._seen.pop(feature, float("-inf")) > self._settings.rare_s
            self._seen[feature] = now_s
        while len(self._seen) > _SEEN_MAX:
            self._seen.popitem(last=False)
        return rare

    def _has_luck(self, trace_id: str, now_s: float) -> bool:
        minute = int(now_s // 60)
        if minute != self._minute:
            self._share = self._share_of(self._rest if minute == self._minute + 1 else 0)
            self._minute, self._rest, self._kept_rest = minute, 0, 0
        self._rest += 1
        if self._kept_rest >= self._settings.rest_per_minute_max or fraction(trace_id) >= self._share:
            return False
        self._kept_rest += 1
        return True

    def _share_of(self, rest: int) -> float:
        """So that a minute like the last one stays within its budget to its end."""
        budget, share = self._settings.rest_per_minute_max, self._settings.share
        return min(share, budget / rest) if rest else share


class _Usual:
    """The durations of a route, in two halves that take turns."""

    __slots__ = ("_bound_ms", "_count", "_known_at", "_new", "_old", "_since_s")

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self._old, self._new = Sketch(), Sketch()
        self._count = 0
        self._known_at = 0.0
        self._bound_ms = float("inf")

    def add(self, duration_ms: float) -> None:
        self._new.add(duration_ms)
        self._count += 1

    def bound_ms(self, quantile: float, now_s: float) -> float:
        """What is slower is slow; infinite before enough is known."""
        if now_s - self._since_s >= _HALF_S:
            long_ago = now_s - self._since_s >= 2 * _HALF_S
            self._old, self._new, self._since_s = Sketch() if long_ago else self._new, Sketch(), now_s
            self._count, self._known_at = self._old.count, 0.0
            self._bound_ms = float("inf")
        if self._count >= _JUDGED_FROM and self._count >= self._known_at * _REFRESH:
            both = Sketch(dict(self._old.buckets), self._old.sum_us)
            both.merge(self._new)
            self._known_at = self._count
            self._bound_ms = both.quantiles((quantile,))[0] * 1.01  # a sketch is that exact
        return self._bound_ms


def fraction(trace_id: str) -> float:
    """A trace's place between 0 and 1. Ids are random, but not all senders' in all their digits: they are mixed."""
    try:
        number = int(trace_id, 16)
    except ValueError:
        number = int.from_bytes(trace_id.encode()[:16])
    number = (number ^ number >> 64) & 0xFFFF_FFFF_FFFF_FFFF
    number = (number ^ number >> 33) * 0xFF51_AFD7_ED55_8CCD & 0xFFFF_FFFF_FFFF_FFFF  # MurmurHash3's finalizer
    return (number ^ number >> 33) / 2.0**64
