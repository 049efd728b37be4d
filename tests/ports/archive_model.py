"""The archive in the plainest way: a list of events, and answers computed by going through it."""

import math
from collections.abc import Callable, Sequence

from tests.telemetry.making import counted, exact_quantile

from foregate.wire.ask import Answer, Ask, Filter, Measure, Series
from foregate.wire.event import RequestEvent

SHARES = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}


def value_of(event: RequestEvent, name: str) -> str | float:
    if name == "status_class":
        return f"{event.status // 100}xx" if 100 <= event.status < 600 else "other"
    value: str | float = getattr(event, name)
    return value


def holds(event: RequestEvent, given: Filter) -> bool:
    value = value_of(event, given.field)
    wanted = [text if isinstance(value, str) else float(text) for text in given.values]
    tests: dict[str, Callable[[], bool]] = {
        "eq": lambda: value == wanted[0],
        "ne": lambda: value != wanted[0],
        "in": lambda: value in wanted,
        "not_in": lambda: value not in wanted,
        "prefix": lambda: str(value).startswith(str(wanted[0])),
        "contains": lambda: str(wanted[0]) in str(value),
        "lt": lambda: value < wanted[0],  # type: ignore[operator]
        "le": lambda: value <= wanted[0],  # type: ignore[operator]
        "gt": lambda: value > wanted[0],  # type: ignore[operator]
        "ge": lambda: value >= wanted[0],  # type: ignore[operator]
    }
    return tests[given.op]()


def measure(events: Sequence[RequestEvent], name: Measure, seconds: float) -> float | None:
    if not events:
        return None
    kept = sorted(one.latency_ms for one in events if not _refused(one))
    upstream = [one.upstream_ms for one in events if one.attempts and one.upstream_ms > 0]
    failed = [one for one in events if one.failed]
    if name in SHARES:
        return exact_quantile(kept, SHARES[name]) if kept else None
    plain: dict[str, Callable[[], float | None]] = {
        "rps": lambda: len(events) / seconds,
        "errors": lambda: len(failed),
        "error_rate": lambda: len(failed) / len(events),
        "timeouts": lambda: sum(one.timed_out for one in failed),
        "mean_ms": lambda: sum(kept) / len(kept) if kept else None,
        "max_ms": lambda: kept[-1] if kept else None,
        "upstream_mean_ms": lambda: sum(upstream) / len(upstream) if upstream else None,
        "clients": lambda: len({one.client for one in events} - {""}),
        "keys": lambda: len({one.key_id for one in events} - {""}),
    }
    return plain[name]() if name in plain else counted(events)[name]


def _refused(one: RequestEvent) -> bool:
    return one.limit == "refused" or one.breaker == "open" or (one.attempts == 0 and one.error != "")


def answer(events: Sequence[RequestEvent], ask: Ask) -> Answer:
    """What the archive should say."""
    groups: dict[tuple[str, ...], list[RequestEvent]] = {}
    for one in events:
        mine = one.org == ask.org and ask.from_s <= one.time_s < ask.until_s
        if mine and all(holds(one, given) for given in ask.filters):
            groups.setdefault(tuple(str(value_of(one, name)) for name in ask.group_by), []).append(one)
    whole_s = ask.until_s - ask.from_s

    def place(group: tuple[str, ...]) -> tuple[float, tuple[str, ...]]:
        value = measure(groups[group], ask.order, whole_s)
        return (math.inf if value is None else -value, group)

    largest = sorted(groups, key=place)[: ask.top]
    series = tuple(_series(group, groups[group], ask) for group in largest)
    return Answer(series, from_windows=False, left_out=len(groups) - len(series))


def _series(group: tuple[str, ...], events: Sequence[RequestEvent], ask: Ask) -> Series:
    whole = tuple(measure(events, name, ask.until_s - ask.from_s) for name in ask.measures)
    if not ask.step_s:
        return Series(group, whole)
    steps = range(math.floor(ask.from_s / ask.step_s), math.ceil(ask.until_s / ask.step_s))
    starts_s = tuple(float(step * ask.step_s) for step in steps)
    values = tuple(
        tuple(
            measure(
                [one for one in events if start_s <= one.time_s < start_s + ask.step_s],
                name,
                min(ask.until_s, start_s + ask.step_s) - max(ask.from_s, start_s),
            )
            for start_s in starts_s
        )
        for name in ask.measures
    )
    return Series(group, whole, starts_s, values)
