"""What a question has added up so far: numbers and sketches of one group in one step, and the measures made of them."""

from collections.abc import Mapping, Sequence
from math import ceil, floor
from operator import add, attrgetter
from typing import NamedTuple

from foregate.ports.series import Number
from foregate.telemetry.facets import clients_of
from foregate.telemetry.heavy import HeavyHitters
from foregate.telemetry.sketch import Sketch
from foregate.telemetry.uniques import Uniques
from foregate.wire.ask import Ask, Measure
from foregate.wire.window import StoredWindow, WindowStats

COUNTED: Mapping[Measure, Number] = {
    "requests": "requests", "errors": "errors", "timeouts": "timeouts", "client_errors": "client_errors",
    "limited": "limited", "broken": "broken", "retries": "retries", "request_bytes": "request_bytes",
    "response_bytes": "response_bytes",
}  # fmt: skip
SHARES: Mapping[Measure, float] = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}
OF_LATENCY: frozenset[Measure] = frozenset({"mean_ms", *SHARES})
OF_UPSTREAM: frozenset[Measure] = frozenset({"upstream_mean_ms"})
OF_FACETS: frozenset[Measure] = frozenset({"clients"})
OF_SKETCHES = OF_LATENCY | OF_UPSTREAM | OF_FACETS
_NAMES: Sequence[str] = tuple(COUNTED)
_numbers_of = attrgetter(*_NAMES)


class Parts(NamedTuple):
    """Which sketches of a window are needed."""

    latency: bool
    upstream: bool
    clients: bool


def parts_of(wanted: frozenset[Measure]) -> Parts:
    return Parts(bool(wanted & OF_LATENCY), bool(wanted & OF_UPSTREAM), bool(wanted & OF_FACETS))


class Cell:
    """Grows by `add`. Sketches, keys and clients are merged only where they are asked for."""

    __slots__ = ("_encoded", "_latency", "_only", "clients", "keys", "max_ms", "numbers", "upstream")

    def __init__(self) -> None:
        self.numbers = [0] * len(_NAMES)
        self.max_ms = 0.0
        self._latency = Sketch()
        self._encoded: list[bytes] = []  # latencies that are still to be merged into it
        self._only: WindowStats | None = None  # of the one window it is made of: its quantiles are known
        self.upstream = Sketch()
        self.keys = HeavyHitters()
        self.clients: Uniques | None = None  # None: not asked for, or of panes that have none

    def count(self, stats: WindowStats) -> None:
        """Add the numbers of a window."""
        self.numbers = list(map(add, self.numbers, _numbers_of(stats)))
        self.max_ms = max(self.max_ms, stats.max_ms)

    def add(self, window: StoredWindow, parts: Parts) -> None:
        """Add a window: its numbers, and those of its sketches that are asked for."""
        self._only = None if self.numbers[0] else window.stats
        self.count(window.stats)
        if parts.latency:
            self._encoded.append(window.latency)
        if parts.upstream:
            self.upstream.merge(Sketch.decode(window.upstream))
        if parts.clients and window.facets:
            self._merge_clients(clients_of(window.facets))

    def merge(self, other: "Cell") -> None:
        """Add another cell, which stays as it is."""
        self.numbers = [mine + more for mine, more in zip(self.numbers, other.numbers, strict=True)]
        self.max_ms = max(self.max_ms, other.max_ms)
        self._only = None
        self._encoded += other._encoded
        self._latency.merge(other._latency)
        self.upstream.merge(other.upstream)
        self.keys.merge(other.keys)
        if other.clients is not None:
            self._merge_clients(other.clients)

    @property
    def latency(self) -> Sketch:
        """Of all that was added; merged when it is asked for."""
        for encoded in self._encoded:
            self._latency.merge_encoded(encoded)
        self._encoded.clear()
        return self._latency

    def _merge_clients(self, other: Uniques) -> None:
        self.clients = self.clients or Uniques()
        self.clients.merge(other)

    def value(self, measure: Measure, seconds: float) -> float | None:
        """`seconds`: what a rate is divided by. None where there is nothing to measure."""
        requests = self.numbers[0]
        if measure in COUNTED:
            return self.numbers[_NAMES.index(COUNTED[measure])]
        if measure == "rps":
            return requests / seconds if seconds > 0 else None
        if measure == "error_rate":
            return self.numbers[1] / requests if requests else None
        if measure == "clients":
            return self.clients.estimate() if self.clients else None
        if measure == "upstream_mean_ms":
            return self.upstream.mean_ms() if self.upstream.buckets else None
        if measure == "max_ms":
            return self.max_ms or None
        if self._only is not None and self._encoded and (known := getattr(self._only, measure)) > 0.0:
            return float(known)
        if not self.latency.buckets:
            return None
        return self.latency.mean_ms() if measure == "mean_ms" else self.latency.quantiles([SHARES[measure]])[0]


def step_starts(ask: Ask) -> tuple[float, ...]:
    """The beginnings of the steps that hold the range, on the grid of the epoch."""
    if not ask.step_s or ask.until_s <= ask.from_s:
        return ()
    steps = range(floor(ask.from_s / ask.step_s), ceil(ask.until_s / ask.step_s))
    return tuple(float(step * ask.step_s) for step in steps)
