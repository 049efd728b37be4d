"""How many requests a service bears at the same time, found from its latency: a gradient limit.

    gradient = clamp(tolerance · rest / now, 0.5, 1)
    limit    ← (1 − smoothing) · limit + smoothing · (limit · gradient + √limit)

`now` is the mean latency of a window, `rest` what it is when nothing queues: a slow average that falls at once when a
window is faster and otherwise drifts up, by DRIFT_MAX per window at most. While `now` stays above `rest` it is measured
anew every PROBE_S: for a few answers only a quarter of the limit is let in. So a service that is slower for good
is not throttled for ever, nor one that is overloaded for good taken for slow. √limit is the queue that is allowed.
Requests that time out, and answers 429 and 503, take their share of the limit away. A limit that is not half used does
not grow; one under which nothing has been slow yet grows fast.

Source: Netflix concurrency-limits, Gradient2Limit; the probe is that of Envoy's adaptive concurrency filter.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from foregate.gateway.policies.gate import Door, Gate
from foregate.gateway.policies.policy import Ask, Means, Place, Verdict
from foregate.wire.policies import AdaptiveConcurrency

if TYPE_CHECKING:
    from foregate.gateway.request import Request

WINDOW_S = 0.25  # at least, and at least …
WINDOW_SAMPLES = 10  # … so many answers
PROBE_S = 30.0  # ± a fifth, so that workers do not probe together
PROBE_SHARE = 0.25  # of the limit; a half would only confirm what the tolerance allows
DRIFT_MAX = 0.001
_SETTLE_MAX_S = 1.0  # so long at most a probe waits for what was let in before it
_SUSPICIOUS = 1.2  # times `rest`: below it there is nothing to probe for
_GRADIENT_MIN = 0.5
OVERLOADED = frozenset({429, 503})


class Gradient:
    """The limit, and what it is found from. Every time is handed in, in seconds."""

    __slots__ = (
        "_dropped",
        "_latency_s",
        "_most",
        "_probe_at_s",
        "_probing",
        "_rng",
        "_samples",
        "_searching",
        "_sum_s",
        "_window_end_s",
        "limit",
        "rest_s",
        "settings",
    )

    def __init__(self, settings: AdaptiveConcurrency, rng: random.Random) -> None:
        self.settings = settings
        self.limit = float(settings.start)
        self.rest_s = 0.0  # 0.0: not known yet
        self._rng = rng
        self._latency_s = 0.0  # of the last window
        self._searching = True  # nothing has been slow yet: grow fast, as TCP's slow start does
        self._probing = False
        self._probe_at_s = 0.0
        self._window_end_s = 0.0
        self._samples = self._dropped = self._most = 0  # of this window; _most: were under way at a time
        self._sum_s = 0.0

    @property
    def places(self) -> int:
        """The limit as it is applied now."""
        return max(self.settings.min, int(self.limit * PROBE_SHARE if self._probing else self.limit))

    def sample(self, now_s: float, latency_s: float, inside: int) -> bool:
        """An answer came after `latency_s`, with `inside` requests under way. True when the limit may have changed."""
        if self._probing and now_s < self._window_end_s:
            return False  # it was let in before the probe began
        self._samples += 1
        self._sum_s += latency_s
        if inside > self._most:
            self._most = inside
        return self._turn(now_s)

    def dropped(self, now_s: float) -> bool:
        """A request timed out, or was refused as too much. True when the limit may have changed."""
        self._dropped += 1
        return self._turn(now_s)

    def _turn(self, now_s: float) -> bool:
        """When the window is over judge it, and begin the next one."""
        if now_s < self._window_end_s or self._samples + self._dropped < WINDOW_SAMPLES:
            return False
        if self._samples:
            self._latency_s = self._sum_s / self._samples
            self._learn(self._latency_s)
        if self._probing:
            self._probing = False
        else:
            self._adjust()
            self._probing = self._worth_probing(now_s)
        if self._probing:
            self._probe_at_s = now_s + PROBE_S * (0.8 + 0.4 * self._rng.random())
        self._window_end_s = now_s + (min(self._latency_s, _SETTLE_MAX_S) if self._probing else WINDOW_S)
        self._clear()
        return True

    def _learn(self, latency_s: float) -> None:
        rest_s = self.rest_s
        if not rest_s or latency_s < rest_s:
            self.rest_s = latency_s
        elif self._probing:
            self.rest_s += 0.5 * (latency_s - rest_s)
        else:
            self.rest_s += DRIFT_MAX * min(latency_s - rest_s, rest_s)

    def _adjust(self) -> None:
        settings, limit = self.settings, self.limit
        kept = max(_GRADIENT_MIN, 1.0 - self._dropped / (self._samples + self._dropped))
        latency_s = self._latency_s
        gradient = max(_GRADIENT_MIN, min(1.0, settings.tolerance * self.rest_s / latency_s)) if latency_s else 1.0
        wanted = limit * min(gradient, kept)
        if self._dropped or latency_s > self.rest_s * _SUSPICIOUS:
            self._searching = False
        if not self._dropped and self._most * 2 >= limit:
            wanted += limit if self._searching else math.sqrt(limit)
        limit += settings.smoothing * (wanted - limit)
        self.limit = max(float(settings.min), min(float(settings.max), limit))

    def _worth_probing(self, now_s: float) -> bool:
        return (
            now_s >= self._probe_at_s
            and self._latency_s > self.rest_s * _SUSPICIOUS
            and self._most > self.limit * PROBE_SHARE
            and self.limit > self.settings.min
        )

    def _clear(self) -> None:
        self._samples = self._dropped = self._most = 0
        self._sum_s = 0.0


class AdaptiveConcurrencyPolicy(Door):
    name = "adaptive_concurrency"

    def __init__(self, settings: AdaptiveConcurrency, means: Means, place: Place) -> None:
        self.gradient = Gradient(settings, means.rng)
        self.gate = Gate(settings.start, settings.queue, settings.wait_s, means.clock, full="shed", late="overloaded")
        self._monotonic = means.clock.monotonic
        self._rng = means.rng
        self._service = place.service

    def admit(self, request: Request) -> Verdict | None:
        verdict = self.gate.admit(request)
        if verdict is None:
            request.ends(self.over)
        elif type(verdict) is Ask:
            request.ends(self._learn)  # the gate itself takes its place back
        return verdict

    def adopt(self, settings: AdaptiveConcurrency) -> None:
        if settings != self.gradient.settings:
            self.gradient = Gradient(settings, self._rng)
            self.gate.adopt(settings.start, settings.queue, settings.wait_s)

    def fell_back(self, overloaded: bool) -> None:
        if overloaded and self.gradient.dropped(self._monotonic()):
            self._settle()

    def over(self, request: Request) -> None:
        self.gate.leave()
        self._learn(request)

    def _learn(self, request: Request) -> None:
        """Take what this request tells about the service. Failures that come quickly tell nothing of latency."""
        status = request.status
        if request.service is not None and request.service.name != self._service:
            return  # it ended elsewhere: see `fell_back`
        if request.error == "upstream_timeout" or (status in OVERLOADED and not request.error):
            changed = self.gradient.dropped(self._monotonic())
        elif status < 500 and not request.error and request.upstream_ms > 0.0:
            changed = self.gradient.sample(self._monotonic(), request.upstream_ms / 1000.0, self.gate.inside + 1)
        else:
            return
        if changed:
            self._settle()

    def _settle(self) -> None:
        self.gate.places = self.gradient.places
        self.gate.fill()
