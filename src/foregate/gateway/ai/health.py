"""How well each model of each provider does, learned from its own answers: what is broken is avoided, then tried again.

One worker's view. It outlives reloads: what is known of a model does not change because the configuration has.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

MODELS_MAX = 4_096  # known at a time; the one asked longest ago is forgotten
WEIGHT = 0.1  # of the newest attempt in the moving averages
FAILURES_MAX = 3  # in a row; then nobody asks for a while …
OPEN_S = 5.0  # … at first this long, twice as long after every failed trial …
OPEN_S_MAX = 60.0  # … and never longer
UNKNOWN_MS = 0.0  # who has never answered is asked early: else nothing would ever be learned of it


class Measured(NamedTuple):
    """What routing goes by. `error_rate` and `latency_ms` are moving averages."""

    open: bool
    opens_again_s: float  # when it may be tried, where it is open
    error_rate: float
    latency_ms: float  # of streams, to their first token; of whole answers, to their end


class ModelHealth:
    """Of one model of one service. Times are monotonic seconds."""

    __slots__ = ("_failures", "_latency_ms", "_open_for_s", "_open_until_s", "_trial", "error_rate")

    def __init__(self) -> None:
        self.error_rate = 0.0
        self._latency_ms = [UNKNOWN_MS, UNKNOWN_MS]  # of whole answers, of streams
        self._failures = 0  # in a row
        self._open_for_s = 0.0  # 0: closed
        self._open_until_s = 0.0
        self._trial = False  # one request is trying it

    def measured(self, now_s: float, streamed: bool) -> Measured:
        """As it stands, for a stream or a whole answer."""
        shut = self._open_for_s > 0.0 and (self._trial or now_s < self._open_until_s)
        return Measured(shut, self._open_until_s, self.error_rate, self._latency_ms[streamed])

    def began(self, now_s: float) -> None:
        """An attempt begins. The first one after the pause is a trial; until it has ended, others go elsewhere."""
        if self._open_for_s > 0.0 and now_s >= self._open_until_s:
            self._trial = True

    def answered(self, latency_ms: float, streamed: bool) -> None:
        """A first token has come, or a whole answer. A stream has not `ended` well before its end."""
        self.error_rate += WEIGHT * (0.0 - self.error_rate)
        known = self._latency_ms[streamed]
        self._latency_ms[streamed] = known + WEIGHT * (latency_ms - known) if known else latency_ms
        self._open_for_s = 0.0
        self._trial = False
        if not streamed:
            self._failures = 0

    def ended(self) -> None:
        """A stream has come to its good end: one that always breaks off in the middle is as broken as any."""
        self._failures = 0

    def failed(self, now_s: float, wait_s: float = 0.0) -> bool:
        """It did not answer, or said that it cannot. `wait_s`: how long it wants to be left alone, where it has said
        so. True when it is avoided from now on and was not before."""
        self.error_rate += WEIGHT * (1.0 - self.error_rate)
        self._failures += 1
        was_open = self._open_for_s > 0.0
        if was_open and self._trial:
            self._open_for_s = min(OPEN_S_MAX, 2.0 * self._open_for_s)
        elif not was_open and (self._failures >= FAILURES_MAX or wait_s > 0.0):
            self._open_for_s = OPEN_S
        if self._open_for_s > 0.0:
            pause_s = max(self._open_for_s, min(wait_s, OPEN_S_MAX))
            self._open_until_s = max(self._open_until_s, now_s + pause_s)
        self._trial = False
        return self._open_for_s > 0.0 and not was_open

    def undecided(self) -> None:
        """The attempt says nothing of the model: the client left, or asked for what nobody could have answered."""
        self._trial = False


class HealthBook:
    """All that a worker knows, by (service, the provider's name of the model)."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], ModelHealth] = OrderedDict()

    def of(self, service: str, model: str) -> ModelHealth:
        """The one that is known, or a new one."""
        key = service, model
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MODELS_MAX:
                self._known.popitem(last=False)
            found = self._known[key] = ModelHealth()
        else:
            self._known.move_to_end(key)
        return found
