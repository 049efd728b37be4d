"""What is counted of events: once per event (`windows.fold`), then only ever added up.

What goes where (`wire.window.WindowStats` has the fields):
- `requests` counts every event, refusals included; `errors` what the client saw as 5xx (so an open circuit's 503 too),
  and answers that broke off after a good status
- `client_errors` are 4xx except what we limited and except 499 (the client left: nobody's error)
- `retries` are attempts beyond the first
- `upstream_limited` are answers 429 of what was asked; of models each such attempt, whoever answered then
- waits for a place and for connections count where they were measured, and somebody was asked or it waited in vain
- what is counted of models is in `windows.models`
- latency counts every request that was not refused by ourselves (limit, open circuit, key, no route): quick refusals
  must not hide that the service is slow. Upstream time counts every request that reached one
docs/explanations/windows.md says the same as SQL.
"""

from collections.abc import Sequence
from typing import NamedTuple

from foregate.telemetry.facets import Facets
from foregate.telemetry.sketch import SUM_MAX, Sketch
from foregate.wire.window import StoredWindow, WindowStats

# Indexes into Tally.numbers, in the order of WindowStats.
REQUESTS, ERRORS, TIMEOUTS, CLIENT_ERRORS, LIMITED, BROKEN, RETRIES, REQUEST_BYTES, RESPONSE_BYTES = range(9)
UPSTREAM_LIMITED, WAITS, WAIT_US, MODEL_REQUESTS, MODEL_FAILURES, TOKENS, FIRST_TOKENS, FIRST_TOKEN_US = range(9, 17)
NUMBERS = 17
QUANTILES = (0.50, 0.90, 0.95, 0.99, 0.999)  # of a window's latencies, in the order of `Times.quantiles_ms`


class Tally:
    """Additive numbers, the highest `inflight` and latency, two sketches, and facets where they are kept."""

    __slots__ = ("facets", "inflight_max", "latency", "max_ms", "numbers", "upstream")

    def __init__(self) -> None:
        self.numbers = [0] * NUMBERS
        self.inflight_max = 0
        self.max_ms = 0.0
        self.latency = Sketch()
        self.upstream = Sketch()
        self.facets: Facets | None = None

    def merge(self, other: "Tally") -> None:
        """Add what `other` counted."""
        self.numbers = _added(self.numbers, other.numbers)
        self.inflight_max = max(self.inflight_max, other.inflight_max)
        self.max_ms = max(self.max_ms, other.max_ms)
        self.latency.merge(other.latency)
        self.upstream.merge(other.upstream)
        if other.facets is not None:
            self.facets = self.facets or Facets()
            self.facets.merge(other.facets)

    @classmethod
    def of(cls, stored: StoredWindow) -> "Tally":
        """What a stored window counted. Raises ValueError when its bytes cannot be read."""
        made = cls()
        made.numbers = _numbers_of(stored.stats)
        made.inflight_max, made.max_ms = stored.stats.inflight_max, stored.stats.max_ms
        made.latency, made.upstream = Sketch.decode(stored.latency), Sketch.decode(stored.upstream)
        made.facets = Facets.decode(stored.facets) if stored.facets else None
        return made


class Times(NamedTuple):
    """All in ms, 0 where nothing was measured."""

    mean_ms: float
    quantiles_ms: Sequence[float]  # of QUANTILES
    upstream_mean_ms: float
    max_ms: float


def window_stats(start_s: int, span_s: int, numbers: Sequence[int], inflight_max: int, times: Times) -> WindowStats:
    """The message, from `numbers` in the order of the indexes above."""
    p50_ms, p90_ms, p95_ms, p99_ms, p999_ms = times.quantiles_ms
    return WindowStats(
        float(start_s),
        span_s,
        requests=numbers[REQUESTS],
        errors=numbers[ERRORS],
        timeouts=numbers[TIMEOUTS],
        client_errors=numbers[CLIENT_ERRORS],
        limited=numbers[LIMITED],
        broken=numbers[BROKEN],
        retries=numbers[RETRIES],
        request_bytes=numbers[REQUEST_BYTES],
        response_bytes=numbers[RESPONSE_BYTES],
        inflight_max=inflight_max,
        mean_ms=times.mean_ms,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        upstream_mean_ms=times.upstream_mean_ms,
        p90_ms=p90_ms,
        p999_ms=p999_ms,
        max_ms=times.max_ms,
        upstream_limited=numbers[UPSTREAM_LIMITED],
        waits=numbers[WAITS],
        wait_us=numbers[WAIT_US],
        model_requests=numbers[MODEL_REQUESTS],
        model_failures=numbers[MODEL_FAILURES],
        tokens=numbers[TOKENS],
        first_tokens=numbers[FIRST_TOKENS],
        first_token_us=numbers[FIRST_TOKEN_US],
    )


def _added(mine: Sequence[int], more: Sequence[int]) -> list[int]:
    """Held at SUM_MAX: bodies that a sender makes up must not grow beyond what the store can hold."""
    sums = [one + other for one, other in zip(mine, more, strict=True)]
    return sums if max(sums) <= SUM_MAX else [min(one, SUM_MAX) for one in sums]


def _numbers_of(stats: WindowStats) -> list[int]:
    return [
        stats.requests,
        stats.errors,
        stats.timeouts,
        stats.client_errors,
        stats.limited,
        stats.broken,
        stats.retries,
        stats.request_bytes,
        stats.response_bytes,
        stats.upstream_limited,
        stats.waits,
        stats.wait_us,
        stats.model_requests,
        stats.model_failures,
        stats.tokens,
        stats.first_tokens,
        stats.first_token_us,
    ]


class Encoded(NamedTuple):
    """The last three fields of a StoredWindow."""

    latency: bytes
    upstream: bytes
    facets: bytes


class Window:
    """A tally over [start_s, start_s + span_s), that can be put to sleep as bytes when it is not growing.

    `whole`: whether it has all that the store has of it. One that has not is added to that before it is written.
    """

    __slots__ = ("_awake", "_encoded", "_measured", "inflight_max", "max_ms", "numbers", "span_s", "start_s", "whole")

    def __init__(self, start_s: int, span_s: int, *, whole: bool = True) -> None:
        self.start_s = start_s
        self.span_s = span_s
        self.whole = whole
        self.numbers = [0] * NUMBERS
        self.inflight_max = 0
        self.max_ms = 0.0
        self._awake: tuple[Sketch, Sketch, Facets | None] | None = None
        self._measured: tuple[int, int, int, int] | None = None
        self._encoded: Encoded | None = Encoded(b"", b"", b"")

    @classmethod
    def restore(cls, stored: StoredWindow) -> "Window":
        """A window as it was stored, asleep."""
        stats = stored.stats
        window = cls(int(stats.start_s), stats.span_s)
        window.numbers = _numbers_of(stats)
        window.inflight_max, window.max_ms = stats.inflight_max, stats.max_ms
        window._encoded = Encoded(stored.latency, stored.upstream, stored.facets)
        return window

    @property
    def end_s(self) -> int:
        return self.start_s + self.span_s

    def merge(self, tally: Tally) -> None:
        """Add a tally; wakes the window up."""
        self.numbers = _added(self.numbers, tally.numbers)
        if tally.inflight_max > self.inflight_max:
            self.inflight_max = tally.inflight_max
        if tally.max_ms > self.max_ms:
            self.max_ms = tally.max_ms
        latency, upstream, _ = self._wake()
        latency.merge(tally.latency)
        upstream.merge(tally.upstream)
        self._encoded = self._measured = None
        if tally.facets is not None:
            self.merge_facets(tally.facets)

    def merge_facets(self, facets: Facets) -> None:
        """Add facets; wakes the window up."""
        latency, upstream, mine = self._wake()
        if mine is None:
            mine = Facets()
            self._awake = latency, upstream, mine
        mine.merge(facets)
        self._encoded = None

    def _wake(self) -> tuple[Sketch, Sketch, Facets | None]:
        if self._awake is None:
            self._awake = self._decoded()
        return self._awake

    def _decoded(self) -> tuple[Sketch, Sketch, Facets | None]:
        latency, upstream, facets = self.encoded
        return Sketch.decode(latency), Sketch.decode(upstream), Facets.decode(facets) if facets else None

    def sleep(self) -> None:
        """Keep the sketches and facets as bytes alone: a tenth of the memory."""
        _ = self.encoded
        self._awake = None

    @property
    def encoded(self) -> Encoded:
        """The sketches and the facets as bytes."""
        if self._encoded is None:
            latency, upstream, facets = self._wake()
            self._encoded = Encoded(latency.encode(), upstream.encode(), facets.encode() if facets else b"")
        return self._encoded

    @property
    def measured(self) -> tuple[int, int, int, int]:
        """How many latencies and their sum in µs; how many upstream times and their sum in µs."""
        if self._measured is None:
            latency, upstream = self._sketches()
            self._measured = latency.count, latency.sum_us, upstream.count, upstream.sum_us
        return self._measured

    def _sketches(self) -> tuple[Sketch, Sketch]:
        """To read only: a sleeping window goes on sleeping."""
        if self._awake is not None:
            return self._awake[0], self._awake[1]
        return Sketch.decode(self.encoded.latency), Sketch.decode(self.encoded.upstream)

    def stats(self) -> WindowStats:
        """The numbers as a message."""
        latency, upstream = self._sketches()
        times = Times(latency.mean_ms(), latency.quantiles(QUANTILES), upstream.mean_ms(), self.max_ms)
        return window_stats(self.start_s, self.span_s, self.numbers, self.inflight_max, times)
