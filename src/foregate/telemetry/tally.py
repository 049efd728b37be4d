"""What is counted of events: once per event here, then only ever added up.

What goes where (`wire.window.WindowStats` has the fields):
- `requests` counts every event, refusals included; `errors` what the client saw as 5xx (so an open circuit's 503 too),
  and answers that broke off after a good status
- `client_errors` are 4xx except what we limited and except 499 (the client left: nobody's error)
- `retries` are attempts beyond the first
- latency counts every request that was not refused by ourselves (limit, open circuit, key, no route): quick refusals
  must not hide that the service is slow. Upstream time counts every request that reached one
"""

from collections.abc import Sequence

from foregate.telemetry.sketch import Sketch
from foregate.wire.window import WindowStats

# Indexes into Tally.numbers, in the order of WindowStats.
REQUESTS, ERRORS, TIMEOUTS, CLIENT_ERRORS, LIMITED, BROKEN, RETRIES, REQUEST_BYTES, RESPONSE_BYTES = range(9)
NUMBERS = 9


class Tally:
    """Additive numbers, the highest `inflight`, and two sketches."""

    __slots__ = ("inflight_max", "latency", "numbers", "upstream")

    def __init__(self) -> None:
        self.numbers = [0] * NUMBERS
        self.inflight_max = 0
        self.latency = Sketch()
        self.upstream = Sketch()


Times = tuple[float, Sequence[float], float]  # mean latency, its p50, p95 and p99, mean upstream time; all ms


def window_stats(start_s: int, span_s: int, numbers: Sequence[int], inflight_max: int, times: Times) -> WindowStats:
    """The message, from `numbers` in the order of the indexes above."""
    mean_ms, (p50_ms, p95_ms, p99_ms), upstream_mean_ms = times
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
        mean_ms=mean_ms,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        upstream_mean_ms=upstream_mean_ms,
    )


class Window:
    """A tally over [start_s, start_s + span_s), that can be put to sleep as bytes when it is not growing."""

    __slots__ = (
        "_latency",
        "_latency_bytes",
        "_measured",
        "_upstream",
        "_upstream_bytes",
        "inflight_max",
        "numbers",
        "span_s",
        "start_s",
    )

    def __init__(self, start_s: int, span_s: int) -> None:
        self.start_s = start_s
        self.span_s = span_s
        self.numbers = [0] * NUMBERS
        self.inflight_max = 0
        self._latency: Sketch | None = None
        self._upstream: Sketch | None = None
        self._measured: tuple[int, int, int, int] | None = None
        self._latency_bytes: bytes | None = b""
        self._upstream_bytes: bytes | None = b""

    @classmethod
    def restore(cls, stats: WindowStats, latency: bytes, upstream: bytes) -> "Window":
        """A window as it was stored, asleep."""
        window = cls(int(stats.start_s), stats.span_s)
        window.numbers = [
            stats.requests,
            stats.errors,
            stats.timeouts,
            stats.client_errors,
            stats.limited,
            stats.broken,
            stats.retries,
            stats.request_bytes,
            stats.response_bytes,
        ]
        window.inflight_max = stats.inflight_max
        window._latency_bytes, window._upstream_bytes = latency, upstream
        return window

    @property
    def end_s(self) -> int:
        return self.start_s + self.span_s

    def merge(self, tally: Tally) -> None:
        """Add a tally; wakes the window up."""
        self.numbers = [mine + more for mine, more in zip(self.numbers, tally.numbers, strict=True)]
        if tally.inflight_max > self.inflight_max:
            self.inflight_max = tally.inflight_max
        latency, upstream = self._sketches()
        latency.merge(tally.latency)
        upstream.merge(tally.upstream)
        self._latency_bytes = self._upstream_bytes = self._measured = None

    def _sketches(self) -> tuple[Sketch, Sketch]:
        if self._latency is None or self._upstream is None:
            self._latency = Sketch.decode(self._latency_bytes or b"")
            self._upstream = Sketch.decode(self._upstream_bytes or b"")
        return self._latency, self._upstream

    def sleep(self) -> None:
        """Keep the sketches as bytes alone: a tenth of the memory."""
        _ = self.encoded
        self._latency = self._upstream = None

    @property
    def encoded(self) -> tuple[bytes, bytes]:
        """The latency and the upstream sketch as bytes."""
        if self._latency_bytes is None or self._upstream_bytes is None:
            latency, upstream = self._sketches()
            self._latency_bytes, self._upstream_bytes = latency.encode(), upstream.encode()
        return self._latency_bytes, self._upstream_bytes

    @property
    def measured(self) -> tuple[int, int, int, int]:
        """How many latencies and their sum in µs; how many upstream times and their sum in µs."""
        if self._measured is None:
            latency, upstream = self._awake_or_decoded()
            self._measured = latency.count, latency.sum_us, upstream.count, upstream.sum_us
        return self._measured

    def _awake_or_decoded(self) -> tuple[Sketch, Sketch]:
        """To read only: a sleeping window goes on sleeping."""
        if self._latency is not None and self._upstream is not None:
            return self._latency, self._upstream
        latency, upstream = self.encoded
        return Sketch.decode(latency), Sketch.decode(upstream)

    def stats(self) -> WindowStats:
        """The numbers as a message."""
        latency, upstream = self._awake_or_decoded()
        times = (latency.mean_ms(), latency.quantiles(), upstream.mean_ms())
        return window_stats(self.start_s, self.span_s, self.numbers, self.inflight_max, times)
