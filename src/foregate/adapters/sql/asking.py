"""An `Ask` about single events as two statements: each group over the whole range, and the largest of them by step.

What is an error, a timeout, a refusal is what `telemetry.tally` says; a test holds the two together. Quantiles are
exact, of the same rank as those of the windows' sketches.
"""

from collections.abc import Mapping, Sequence

from foregate.adapters.sql.columns import field
from foregate.adapters.sql.dialect import Bound, Dialect, Query
from foregate.adapters.sql.filters import conditions
from foregate.kernel.errors import ERRORS, ForegateError
from foregate.wire.ask import DIMENSIONS, Ask, Measure

_CLIENTS = ", ".join(f"'{code}'" for code, spec in sorted(ERRORS.items()) if spec.fault == "client")
_FAILED = f"(status >= 500 OR (error <> '' AND status < 400 AND error NOT IN ({_CLIENTS})))"
_REFUSED = "((attempts = 0 AND error <> '') OR \"limit\" = 'refused' OR breaker = 'open')"
_LATENCY = f"CASE WHEN {_REFUSED} OR latency_ms < 0 THEN NULL ELSE latency_ms END"
_UPSTREAM = "CASE WHEN attempts > 0 AND upstream_ms > 0 AND upstream_ms <= 1e9 THEN upstream_ms END"
_SHARES: Mapping[Measure, float] = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}


def _count(condition: str) -> str:
    return f"CAST(coalesce(sum(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) AS BIGINT)"


def _total(expression: str) -> str:
    return f"CAST(coalesce(sum({expression}), 0) AS BIGINT)"


_AGGREGATES: Mapping[Measure, str] = {
    "requests": "count(*)",
    "rps": "count(*)",  # divided by the seconds where the answer is made
    "errors": _count(_FAILED),
    "error_rate": f"avg(CASE WHEN {_FAILED} THEN 1.0E0 ELSE 0.0E0 END)",
    "timeouts": _count(f"{_FAILED} AND error = 'upstream_timeout'"),
    "client_errors": _count("\"limit\" <> 'refused' AND status >= 400 AND status < 499"),
    "limited": _count("\"limit\" = 'refused'"),
    "broken": _count("breaker = 'open'"),
    "retries": _total("CASE WHEN attempts > 1 THEN attempts - 1 ELSE 0 END"),
    "request_bytes": _total("request_bytes"),
    "response_bytes": _total("response_bytes"),
    "mean_ms": f"avg({_LATENCY})",
    "max_ms": f"max({_LATENCY})",
    "upstream_mean_ms": f"avg({_UPSTREAM})",
    "clients": "count(DISTINCT nullif(client, ''))",
    "keys": "count(DISTINCT nullif(key_id, ''))",
}


def whole_query(ask: Ask, source: str, dialect: Dialect) -> Query:
    """Rows: the values of `group_by`, the measures, the one to order by, and how many groups there are in all.

    `source`: what stands after FROM. Raises ForegateError("invalid_parameter").
    """
    bound = Bound(dialect)
    groups = _groups(ask)
    names = [f"g{at}" for at in range(len(groups))]
    picked = [f"{sql} AS {name}" for name, sql in zip(names, groups, strict=True)]
    measures = [*_measures(ask, dialect), f"{_aggregate(ask.order, dialect)} AS ordered", "count(*) OVER () AS groups"]
    where = _where(ask, bound)
    by = f"GROUP BY {', '.join(groups)}" if groups else "HAVING count(*) > 0"
    order = ", ".join(["ordered DESC NULLS LAST", *names])
    sql = f"SELECT {', '.join(picked + measures)} FROM {source} WHERE {where} {by} "  # noqa: S608 - closed lists
    return Query(f"{sql} ORDER BY {order} LIMIT {bound(ask.top)}", bound.values)


def steps_query(ask: Ask, groups: Sequence[Sequence[str]], source: str, dialect: Dialect) -> Query:
    """Rows: the values of `group_by`, the step's beginning, the measures; of these groups alone, in order of time."""
    bound = Bound(dialect)
    by = [*_groups(ask), f"floor(time_s / {int(ask.step_s)}) * {int(ask.step_s)}"]
    picked = [f"{sql} AS g{at}" for at, sql in enumerate(by)]
    where = _where(ask, bound)
    if ask.group_by:
        rows = ", ".join(f"({bound.each(group)})" for group in groups)
        where += f" AND ({', '.join(by[:-1])}) IN ({rows})"
    sql = f"SELECT {', '.join(picked + _measures(ask, dialect))} FROM {source} WHERE {where} "  # noqa: S608 - closed lists
    return Query(f"{sql} GROUP BY {', '.join(by)} ORDER BY {len(by)}", bound.values)


def _groups(ask: Ask) -> list[str]:
    """Each dimension as text."""
    for name in ask.group_by:
        if name not in DIMENSIONS:
            raise ForegateError("invalid_parameter", f"requests cannot be grouped by {name[:50]!r}")
    found = [field("events", name) for name in ask.group_by]
    return [sql if of == "text" else f"CAST({sql} AS VARCHAR)" for sql, of in found]


def _measures(ask: Ask, dialect: Dialect) -> list[str]:
    return [f"{_aggregate(measure, dialect)} AS m{at}" for at, measure in enumerate(ask.measures)]


def _aggregate(measure: Measure, dialect: Dialect) -> str:
    if measure in _SHARES:
        return dialect.quantile(_LATENCY, _SHARES[measure])
    if measure not in _AGGREGATES:
        raise ForegateError("invalid_parameter", f"there is no measure {measure[:50]!r}")
    return _AGGREGATES[measure]


def _where(ask: Ask, bound: Bound) -> str:
    begin = [f"org = {bound(ask.org)}", f"time_s >= {bound(ask.from_s)}", f"time_s < {bound(ask.until_s)}"]
    return " AND ".join([*begin, *conditions("events", ask.filters, bound)])
