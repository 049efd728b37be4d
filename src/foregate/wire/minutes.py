"""A minute of an API as numbers: the one table that live windows, the lab and recorded telemetry share.

What is learned, served and evaluated reads these columns and nothing else, so that a recording of any system can stand
in for live traffic. A value nobody measured is NaN, never 0: "no retries" and "retries are not known" differ.
`docs/reference/recorded-telemetry.md` is the same for people who bring their own data.
"""

from collections.abc import Mapping
from math import nan
from typing import Final

import msgspec

from foregate.wire.window import WindowStats

# What a window of one minute says; the meaning is that of `WindowStats`.
TRAFFIC: Final = (
    "requests",  # 0 for a minute without traffic; NaN for one that was not recorded
    "errors",  # 5xx as the client saw them, timeouts included
    "timeouts",
    "client_errors",  # 4xx except what we limited
    "limited",  # refused by a rate limit of ours
    "broken",  # refused by an open circuit
    "retries",  # attempts beyond the first
    "inflight_max",  # requests in flight at once, the most
    "mean_ms",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "upstream_mean_ms",
)
# What stands beside the windows: saturation, models, what runs out, what was changed. All optional.
SIGNALS: Final = (
    "queue_mean_ms",  # mean wait for a place in a queue of ours and for new connections
    "upstream_limited",  # answers 429 of what was asked
    "tokens",  # of language models, read and written
    "first_token_ms",  # mean time to a model's first token
    "model_failures",  # attempts at a model that failed, a fallback's included
    "quota_left",  # share of the quota that runs out first, 0 to 1
    "budget_left",  # share of the error budget of the objective's period; negative when overspent
    "disk_left",  # share of the disk that is free, 0 to 1
    "memory_left",  # share of its memory that is free, of the service's process that has least of it, 0 to 1
    "connections_left",  # share of a pool of connections that is free, mean of the minute, of the scarcest pool, 0 to 1
    "workers_left",  # the same of threads, slots or whatever else bounds how much a process does at once
    "cert_left_s",  # seconds until the first certificate in use expires
    "deploys",  # new versions of the service in this minute
    "config_changes",  # of the gateway, in this minute
    "time_limit_ms",  # how long the gateway waits for one attempt
)
COLUMNS: Final = TRAFFIC + SIGNALS
# What is 0, and known to be, in a minute in which nobody asked.
COUNTED: Final = ("requests", "errors", "timeouts", "client_errors", "limited", "broken", "retries", "inflight_max")
REQUIRED: Final = ("requests", "errors", "p95_ms")  # of a recording; the others may be missing


class FaultNote(msgspec.Struct, array_like=True, frozen=True):
    """A fault of a run, for telling causes apart in the results; no feature ever sees it."""

    kind: str
    service: str
    start_s: float  # Unix seconds
    duration_s: float
    severity: float = 0.0
    heals: bool = False  # a gradual one that ends before it would fail
    benign: bool = False  # it never fails


def signals_of(stats: WindowStats) -> dict[str, float]:
    """Those of `SIGNALS` that a window counts itself; what it has not measured is absent."""
    found: dict[str, float] = {}
    if stats.requests:
        found["upstream_limited"] = float(stats.upstream_limited)
    if stats.waits:
        found["queue_mean_ms"] = stats.wait_us / 1000.0 / stats.waits
    if stats.model_requests:
        found["tokens"] = float(stats.tokens)
        found["model_failures"] = float(stats.model_failures)
    if stats.first_tokens:
        found["first_token_ms"] = stats.first_token_us / 1000.0 / stats.first_tokens
    return found


def traffic_of(stats: WindowStats) -> tuple[float, ...]:
    """A window's numbers in the order of `TRAFFIC`."""
    return (
        stats.requests,
        stats.errors,
        stats.timeouts,
        stats.client_errors,
        stats.limited,
        stats.broken,
        stats.retries,
        stats.inflight_max,
        stats.mean_ms,
        stats.p50_ms,
        stats.p95_ms,
        stats.p99_ms,
        stats.upstream_mean_ms,
    )


def row_of(stats: WindowStats, beside: Mapping[str, float] | None = None) -> tuple[float, ...]:
    """A window's numbers in the order of `COLUMNS`. `beside`: what is known besides, by the names of `SIGNALS`."""
    known = {**signals_of(stats), **(beside or {})}
    return (*traffic_of(stats), *(known.get(name, nan) for name in SIGNALS))
