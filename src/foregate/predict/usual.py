"""What is usual: robust statistics of an entity's own past minutes, for many entities at once.

The same functions serve live entities and recordings: they see arrays, and no names.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.wire.minutes import COLUMNS

Floats = NDArray[np.float32]

COLUMN: Final = {name: index for index, name in enumerate(COLUMNS)}
LATENCIES: Final = tuple(COLUMN[name] for name in ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "upstream_mean_ms"))
METRICS: Final = (
    "rps",
    "error_rate",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "mean_ms",
    "upstream_mean_ms",
    "inflight_max",
    "client_share",
    "retry_share",
    "limited_share",
    "concurrency",  # Little's law: arrivals × mean time in the system
)
METRIC: Final = {name: index for index, name in enumerate(METRICS)}
REQUESTS_MIN: Final = 5  # a minute with fewer says nothing about quantiles: it is no part of what is usual
REFERENCE_MINUTES: Final = 240
REFERENCE_MINUTES_MIN: Final = 2  # with fewer usable minutes there is no "usual": the entity is still being learned
YOUNG_MINUTES: Final = 30  # with fewer usable minutes the reference is renewed every minute …
RENEWED_MINUTES: Final = 5  # … and afterwards whenever the clock's minute is divisible by this
CALM_QUANTILE: Final = 0.2
NUMBER_MAX: Final = 1e12  # of a minute, in any unit: 31 years in ms
BAD_ERRORS: Final = 5
BAD_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """Statistics of the reference minutes, each of shape (n, len(METRICS)) in the metric's unit; NaN without them.

    `median`; `spread` = 1.4826 · median absolute deviation; `calm` = the 20 % quantile, which a slowly growing fault
    spoils later than the median; `worst` the highest, borne without failing. `minutes` (n,): of how many minutes
    they are made.
    """

    median: Floats
    spread: Floats
    calm: Floats
    worst: Floats
    minutes: NDArray[np.int32]

    def take(self, rows: NDArray[np.intp]) -> "Usual":
        return Usual(self.median[rows], self.spread[rows], self.calm[rows], self.worst[rows], self.minutes[rows])


def cleaned(minutes: NDArray[np.floating]) -> Floats:
    """Minutes (…, C, T) whose latencies are NaN where nothing was measured: 0 ms of no requests is no latency.

    A number beyond `NUMBER_MAX` was not measured either; without it no sum or product of single precision overflows.
    """
    with np.errstate(over="ignore"):
        clean = np.array(minutes, dtype=np.float32)
    clean[np.abs(clean) > NUMBER_MAX] = np.nan
    silent = ~(clean[..., COLUMN["requests"], :] > 0)
    for index in LATENCIES:
        clean[..., index, :][silent | ~(clean[..., index, :] > 0)] = np.nan
    return clean


def is_bad(minutes: Floats) -> NDArray[np.bool_]:
    """The failure definition for each minute of (…, C, T): 5xx and timeouts ≥ 5 % of the requests, and at least 5."""
    requests, errors = minutes[..., COLUMN["requests"], :], minutes[..., COLUMN["errors"], :]
    bad: NDArray[np.bool_] = (errors >= BAD_ERRORS) & (errors >= np.float32(BAD_SHARE) * requests)
    return bad


def is_usable(minutes: Floats) -> NDArray[np.bool_]:
    """Which minutes of (…, C, T) may count as usual: enough requests, and not failing."""
    usable: NDArray[np.bool_] = (minutes[..., COLUMN["requests"], :] >= REQUESTS_MIN) & ~is_bad(minutes)
    return usable


def metrics_of(minutes: Floats) -> Floats:
    """(…, C, T) → (…, len(METRICS), T)."""

    def of(name: str) -> Floats:
        column: Floats = minutes[..., COLUMN[name], :]
        return column

    rps = of("requests") / np.float32(60)
    requests = np.where(of("requests") > 0, of("requests"), np.float32(np.nan))  # a share of none is not known
    with np.errstate(invalid="ignore"):
        parts = (
            rps,
            of("errors") / requests,
            of("p50_ms"),
            of("p95_ms"),
            of("p99_ms"),
            of("mean_ms"),
            of("upstream_mean_ms"),
            of("inflight_max"),
            of("client_errors") / requests,
            of("retries") / requests,
            of("limited") / requests,
            rps * of("mean_ms") / np.float32(1000),
        )
    return np.stack(parts, axis=-2)


def excluded(usable: NDArray[np.int32]) -> NDArray[np.int32]:
    """How many of the latest usable minutes are no part of the reference.

    So that a fault which has been growing for a while is not mistaken for what is usual: half of the past, at least 5
    and at most 15 minutes, but two minutes always stay.
    """
    out: NDArray[np.int32] = np.minimum(np.clip(usable // 2, 5, 15), np.maximum(usable - REFERENCE_MINUTES_MIN, 0))
    return out


def known_minutes(usable: NDArray[np.int32]) -> NDArray[np.int32]:
    """Of how many minutes the reference is made when so many of the past ones are usable."""
    return np.where(usable >= REFERENCE_MINUTES_MIN, usable - excluded(usable), 0).astype(np.int32)


def usual_of(past: Floats) -> Usual:
    """The statistics of the past minutes (n, C, T), oldest first; T is at most `REFERENCE_MINUTES`."""
    usable = is_usable(past)
    count = usable.sum(axis=-1, dtype=np.int32)
    younger = np.cumsum(usable[:, ::-1], axis=-1, dtype=np.int32)[:, ::-1]  # usable minutes from here to the end
    reference = usable & (younger > excluded(count)[:, None])
    known = known_minutes(count)
    rows = np.where(reference[:, None, :], metrics_of(past), np.float32(np.nan))
    rows.sort(axis=-1)  # NaN last
    median = _middle(rows)
    deviation = np.abs(rows - median[..., None])
    deviation.sort(axis=-1)
    spread = np.float32(1.4826) * _middle(deviation)
    calm = _at(rows, np.floor(CALM_QUANTILE * (_counted(rows) - 1)).astype(np.intp))
    worst = _at(rows, _counted(rows) - 1)
    unknown = known < REFERENCE_MINUTES_MIN
    for array in (median, spread, calm, worst):
        array[unknown] = np.nan
    return Usual(median, spread, calm, worst, known)


def _counted(rows: Floats) -> NDArray[np.intp]:
    counted: NDArray[np.intp] = (~np.isnan(rows)).sum(axis=-1)
    return counted


def _at(rows: Floats, index: NDArray[np.intp]) -> Floats:
    chosen = np.take_along_axis(rows, np.maximum(index, 0)[..., None], axis=-1)[..., 0]
    return np.where(index >= 0, chosen, np.float32(np.nan))


def _middle(rows: Floats) -> Floats:
    """Medians of sorted rows, NaN last and not counted."""
    n = _counted(rows)
    low, high = _at(rows, (n - 1) // 2), _at(rows, np.where(n > 0, n // 2, -1))
    return ((low + high) / 2).astype(np.float32)
