"""A question about telemetry, and its answer: the language of the query API, the same for every store."""

from typing import Literal, get_args

import msgspec

# What requests are told apart by. The first six are in the windows, so they are answered from there; others need the
# raw events.
Dimension = Literal[
    "org", "service", "route", "environment", "status_class", "method",
    "status", "key_id", "client", "host", "path", "region", "cloud", "instance", "source", "error", "cache", "protocol",
    "target", "trace_id", "request_id",
]  # fmt: skip
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
ROLLED_UP: frozenset[Dimension] = frozenset({"org", "service", "route", "environment", "status_class"})
Measure = Literal[
    "requests", "rps", "errors", "error_rate", "timeouts", "client_errors", "limited", "broken", "retries",
    "request_bytes", "response_bytes", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms",
    "upstream_mean_ms", "clients", "keys",
]  # fmt: skip
MEASURES: tuple[Measure, ...] = get_args(Measure)
Operator = Literal["eq", "ne", "in", "not_in", "prefix", "contains", "lt", "le", "gt", "ge"]


class Filter(msgspec.Struct, frozen=True):
    """`values`: one, or several for `in` and `not_in`. Order (`lt` …) is for the numbers of a raw event."""

    field: str
    op: Operator
    values: tuple[str, ...]


class Ask(msgspec.Struct, frozen=True):
    """Requests of `org` with from_s ≤ time < until_s (Unix seconds), in steps of `step_s` (0: one step, the whole).

    `top` series at most, the largest by `order` (its whole range); what is left out is said.
    """

    org: str
    from_s: float
    until_s: float
    measures: tuple[Measure, ...]
    step_s: int = 0
    group_by: tuple[Dimension, ...] = ()
    filters: tuple[Filter, ...] = ()
    order: Measure = "requests"
    top: int = 20


class Series(msgspec.Struct, frozen=True):
    """`group`: the values of `group_by`. `starts_s[i]` begins the step of `values[m][i]`, m as in `measures`; None
    where nothing was. `whole[m]`: over the whole range."""

    group: tuple[str, ...]
    whole: tuple[float | None, ...]
    starts_s: tuple[float, ...] = ()
    values: tuple[tuple[float | None, ...], ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """`from_windows`: quantiles within 1 %; else from the raw events. `left_out`: series beyond `top`. `until_s`: what
    is newer is not in yet. `read`: windows or events that were looked at. `from_s`: where it really begins, the
    beginning of a window; 0 for as asked. `approximate`: what is estimated ("clients", "keys"), not counted."""

    series: tuple[Series, ...]
    from_windows: bool
    left_out: int = 0
    until_s: float = 0.0
    read: int = 0
    from_s: float = 0.0
    approximate: tuple[str, ...] = ()
