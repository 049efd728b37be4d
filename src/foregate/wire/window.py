"""What a stretch of time looked like for one entity."""

from typing import NamedTuple

import msgspec

from foregate.wire.entity import Entity

SPANS_S = (10, 60, 300, 900)  # pane for the live page, and the 1 m / 5 m / 15 m windows

ROLLED_UP_FROM = {3_600: 900, 86_400: 3_600}  # hours and days (UTC) are merged from stored windows of a shorter span
TOTALLED_S = (900, 3_600, 86_400)  # of these the windows of all routes are merged too, when their hour is rolled up


class WindowStats(msgspec.Struct, array_like=True, frozen=True):
    """Numbers of one window of one entity. Quantiles are in ms, from a sketch with 1 % relative error; 0 when empty."""

    start_s: float
    span_s: int
    requests: int = 0
    errors: int = 0  # 5xx as the client saw them (timeouts included), and answers that broke off
    timeouts: int = 0
    client_errors: int = 0  # 4xx except what we limited
    limited: int = 0  # refused by a rate limit of ours
    broken: int = 0  # refused by an open circuit
    retries: int = 0  # attempts beyond the first
    request_bytes: int = 0
    response_bytes: int = 0
    inflight_max: int = 0
    mean_ms: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    upstream_mean_ms: float = 0.0
    p90_ms: float = 0.0
    p999_ms: float = 0.0
    max_ms: float = 0.0
    upstream_limited: int = 0  # answers 429 of what was asked; of models every such attempt
    waits: int = 0  # requests whose wait for a place and for connections was measured
    wait_us: int = 0  # of these, all together
    model_requests: int = 0  # requests to language models
    model_failures: int = 0  # attempts at a model that failed, a fallback's included
    tokens: int = 0  # read and written
    first_tokens: int = 0  # answers of models whose first token's time was measured
    first_token_us: int = 0  # of these, all together

    @property
    def error_rate(self) -> float:
        """Share of requests that failed, 0 to 1; 0 for an empty window."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def timeout_rate(self) -> float:
        return self.timeouts / self.requests if self.requests else 0.0

    @property
    def rps(self) -> float:
        return self.requests / self.span_s

    @property
    def bad(self) -> bool:
        """The failure definition for one minute: 5xx and timeouts ≥ 5 % of requests, and at least 5 of them."""
        return self.errors >= 5 and self.error_rate >= 0.05


class Tick(msgspec.Struct, array_like=True, frozen=True):
    """One entity as seen at `time_s`: hopping windows that end there, over the last 1, 5 and 15 minutes.

    `minutes_seen` says how many minutes of its past the windows really cover.
    """

    time_s: float
    entity: Entity
    w1: WindowStats
    w5: WindowStats
    w15: WindowStats
    minutes_seen: float


class StoredWindow(msgspec.Struct, array_like=True, frozen=True):
    """A tumbling window on its way to or from a series store: the numbers and the sketches they came from.

    `latency` and `upstream` are encoded `telemetry.sketch` states; storing them keeps the window mergeable. `facets` is
    an encoded `telemetry.facets` state: latency per status class, top keys, unique clients; b"" for panes of 10 s.
    """

    entity: Entity
    stats: WindowStats
    latency: bytes
    upstream: bytes
    facets: bytes = b""


class MetricsAnswer(NamedTuple):
    """Windows per entity, oldest first; the same windows merged over entities; and everything merged into one.

    Quantiles of `total` and `summary` come from merged sketches, never from averaged quantiles. `summary` begins with
    the first window on the grid and ends with the last one or at the asked end, whichever is earlier, so that its
    `rps` is right while the last window is still filling.
    """

    series: dict[Entity, list[WindowStats]]
    total: list[WindowStats]
    summary: WindowStats
