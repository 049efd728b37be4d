"""What a worker keeps of one target: its circuit, connections, load, latency and health. It survives reloads."""

from math import inf

from foregate.gateway import layout
from foregate.gateway.policies.breaker import Circuit
from foregate.gateway.upstream.balance.p2c_ewma import SINK_S
from foregate.gateway.upstream.balance.slow_start import ramp
from foregate.gateway.upstream.health.outliers import Ejection, Figures
from foregate.gateway.upstream.health.probation import Probation
from foregate.gateway.upstream.pool import Pool
from foregate.ports.blocks import Cells
from foregate.wire.policies import CircuitBreaker
from foregate.wire.snapshot import Target

FAILURE_S = 1.0  # a failed answer counts as at least so slow: who fails at once must not look fast …
LATENCY_MAX_S = 60.0  # … and the more in a row the slower, up to this


class TargetState:
    """One upstream address of one service. Attributes without underscore are read by balancers, policies and metrics.

    Every attempt calls `began` once and `ended` once; both are on the hot path. `latency_s` is a peak EWMA of the time
    to the first byte: it jumps up with a slower answer and sinks with time constant `p2c_ewma.SINK_S`.
    """

    __slots__ = (
        "_answers",
        "_credit",
        "_failures",
        "_seconds",
        "_slow_start_s",
        "_warm_from_s",
        "cells",
        "circuit",
        "ejection",
        "host_line",
        "inflight",
        "latency_s",
        "pool",
        "prefix",
        "probation",
        "sampled_s",
        "target",
        "url",
        "warming",
        "weight",
        "zone",
    )

    def __init__(self, target: Target, breaker: CircuitBreaker, pool: Pool, cells: Cells) -> None:
        self.url = target.url
        self.host_line = b"host: %s\r\n" % (target.authority if target.host else "localhost").encode()
        self.prefix = target.prefix.encode()
        self.circuit = Circuit(breaker)
        self.pool = pool
        self.cells = cells
        self.probation = Probation()
        self.ejection = Ejection()
        self.inflight = 0
        self.latency_s = 0.0
        self.sampled_s = 0.0
        self.warming = False
        self._warm_from_s = -inf
        self._slow_start_s = 0.0
        self._credit = 0.0
        self._answers = self._failures = 0  # in this interval of outlier detection
        self._seconds = 0.0
        self.settle(target)

    def settle(self, target: Target) -> None:
        """Take over what may differ under the same address."""
        self.target = target
        self.weight = max(1, target.weight)
        self.zone = target.zone

    # --- every attempt ---------------------------------------------------------------------------------------

    def began(self, now_s: float) -> None:
        """An attempt is on its way to it."""
        self.inflight += 1

    def ended(self, now_s: float, ok: bool | None, first_byte_s: float) -> None:
        """The attempt is over. `ok`: None when it says nothing about the target, e.g. its client left."""
        self.inflight -= 1
        if ok is None:
            return
        self._answers += 1
        latency_s = self.latency_s
        if ok:
            self._seconds += first_byte_s
        else:
            self._failures += 1
            first_byte_s = min(max(first_byte_s, FAILURE_S, 2.0 * latency_s), LATENCY_MAX_S)
        if first_byte_s >= latency_s:
            self.latency_s = first_byte_s
        else:
            elapsed_s = now_s - self.sampled_s  # 1 - exp(-x) is x for all that matters here
            if elapsed_s > 0.0:
                self.latency_s = latency_s + (first_byte_s - latency_s) * min(1.0, elapsed_s / SINK_S)
        self.sampled_s = now_s

    # --- health ----------------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether neither checks nor traffic speak against it. Its circuit is another matter."""
        return self.probation.healthy and not self.ejection.active

    def take_figures(self) -> Figures:
        """What it did since the last time this was asked."""
        figures = Figures(self._answers, self._failures, self._seconds, self.ejection.active)
        self._answers = self._failures = 0
        self._seconds = 0.0
        return figures

    def publish(self) -> None:
        """Write the gauges of its health."""
        self.cells[layout.UNHEALTHY] = 0.0 if self.probation.healthy else 1.0
        self.cells[layout.EJECTED] = 1.0 if self.ejection.active else 0.0

    # --- slow start ------------------------------------------------------------------------------------------

    def warm_up(self, now_s: float, slow_start_s: float) -> None:
        """It is new, or has recovered: give it its share gradually, over so many seconds."""
        self.warming = slow_start_s > 0.0
        self._warm_from_s, self._slow_start_s = now_s, slow_start_s

    def share(self, now_s: float) -> float:
        """Of its weight: rising to 1.0, then it no longer warms up."""
        share = ramp(now_s - self._warm_from_s, self._slow_start_s)
        if share >= 1.0:
            self.warming = False
        return share

    def turn_comes(self, now_s: float) -> bool:
        """Asked once for each turn that it would have: true for its share of them, evenly spread."""
        self._credit += self.share(now_s)
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True
