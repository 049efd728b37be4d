"""A series store filled from events in the plainest way, and a plain model of what a question's answer is."""

import random
from collections.abc import Sequence
from pathlib import Path

from tests.telemetry.making import counted, event, exact_quantile, measured_ms

from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.telemetry.facets import Facets, class_of
from foregate.telemetry.rollup import merge_windows
from foregate.telemetry.tally import NUMBERS, Tally, Window
from foregate.telemetry.uniques import hash_of
from foregate.wire.ask import Ask, Filter
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent
from foregate.wire.window import SPANS_S, StoredWindow

KINDS: Sequence[dict[str, object]] = (
    {}, {}, {}, {"status": 500}, {"status": 504, "error": "upstream_timeout"}, {"status": 404}, {"status": 302},
    {"status": 429, "limit": "refused", "error": "rate_limited", "attempts": 0, "upstream_ms": 0.0},
)  # fmt: skip
_COUNTED = (
    "requests", "errors", "timeouts", "client_errors", "limited", "broken", "retries", "request_bytes",
    "response_bytes",
    "upstream_limited", "waits", "wait_us", "model_requests", "model_failures", "tokens", "first_tokens",
    "first_token_us",
)  # fmt: skip


def spread(seed: int, count: int, from_s: float, until_s: float, routes: int = 3) -> list[RequestEvent]:
    """Events of two orgs, two environments and some services, anywhere in the range."""
    chance = random.Random(seed)
    return [_random_event(chance, from_s + chance.random() * (until_s - from_s), routes) for _ in range(count)]


def _random_event(chance: random.Random, time_s: float, routes: int) -> RequestEvent:
    fields: dict[str, object] = {
        "time_s": time_s,
        "org": chance.choice(("default", "default", "other")),
        "service": chance.choice(("payments", "search")),
        "route": f"/r/{chance.randrange(routes)}",
        "environment": chance.choice(("production", "staging")),
        "latency_ms": chance.lognormvariate(3.0, 1.0),
        "client": f"10.0.0.{chance.randrange(40)}",
        "key_id": chance.choice(("", "web", "web", "mobile", f"key{chance.randrange(6)}")),
        "request_bytes": chance.randrange(500),
    }
    return event(**fields, **chance.choice(KINDS))


def windows_of(events: Sequence[RequestEvent], spans_s: Sequence[int] = SPANS_S) -> list[StoredWindow]:
    """The windows that hold these events."""
    grouped: dict[tuple[int, int, Entity], list[RequestEvent]] = {}
    for one in events:
        for span_s in spans_s:
            grouped.setdefault((span_s, int(one.time_s // span_s) * span_s, one.entity), []).append(one)
    return [_window(span_s, start_s, entity, group) for (span_s, start_s, entity), group in grouped.items()]


def _window(span_s: int, start_s: int, entity: Entity, events: Sequence[RequestEvent]) -> StoredWindow:
    window, tally = Window(start_s, span_s), Tally()
    numbers = counted(events)
    tally.numbers = [numbers.get(name, 0) for name in _COUNTED]
    assert len(tally.numbers) == NUMBERS
    facets = Facets()
    for one in events:
        facets.counts[class_of(one.status) - 1] += 1
        facets.clients.update([hash_of(one.client)])
        if one.key_id:
            facets.keys.update({one.key_id: 1})
        if one.attempts:
            tally.latency.add(one.latency_ms)
            tally.upstream.add(one.upstream_ms)
            tally.max_ms = max(tally.max_ms, one.latency_ms)
            alone = Tally()
            alone.latency.add(one.latency_ms)
            facets.add_latency(class_of(one.status), alone.latency)
    tally.facets = facets if span_s >= 60 else None
    window.merge(tally)
    return StoredWindow(entity, window.stats(), *window.encoded)


def filled(folder: Path, events: Sequence[RequestEvent], roll_ups: int = 1_000) -> EmbeddedSeries:
    """So many calls of `roll_up`: with few of them much stays stale."""
    series = EmbeddedSeries(folder / "series.sqlite")
    series.append(windows_of(events), {}, {})
    for _ in range(roll_ups):
        if not series.roll_up(merge_windows, 50) and not series.stale(0, max(e.time_s for e in events) // 900 * 900):
            break
    return series


def passes(one: RequestEvent, given: Filter) -> bool:
    value = f"{class_of(one.status)}xx" if given.field == "status_class" else str(getattr(one, given.field))
    return {
        "eq": value in given.values, "in": value in given.values, "ne": value not in given.values,
        "not_in": value not in given.values, "prefix": value.startswith(given.values[0]),
        "contains": given.values[0] in value,
    }[given.op]  # fmt: skip


def group_of(one: RequestEvent, ask: Ask) -> tuple[str, ...]:
    return tuple(f"{class_of(one.status)}xx" if n == "status_class" else str(getattr(one, n)) for n in ask.group_by)


def asked(ask: Ask, events: Sequence[RequestEvent]) -> list[RequestEvent]:
    """The events that a question is about."""
    return [
        one
        for one in events
        if ask.org in ("*", one.org)
        and ask.from_s <= one.time_s < ask.until_s
        and all(passes(one, given) for given in ask.filters)
        and ("key_id" not in ask.group_by or one.key_id)
    ]


def grouped(ask: Ask, events: Sequence[RequestEvent]) -> dict[tuple[str, ...], list[RequestEvent]]:
    found: dict[tuple[str, ...], list[RequestEvent]] = {}
    for one in asked(ask, events):
        found.setdefault(group_of(one, ask), []).append(one)
    return found


def measured(measure: str, events: Sequence[RequestEvent], seconds: float) -> float | None:
    """The exact value."""
    numbers, rising = counted(events), measured_ms(events)
    if measure in numbers:
        return numbers[measure]
    if measure == "rps":
        return len(events) / seconds
    if measure == "error_rate":
        return numbers["errors"] / len(events) if events else None
    if measure == "clients":
        return len({one.client for one in events})
    if not rising:
        return None
    if measure == "mean_ms":
        return sum(rising) / len(rising)
    if measure == "max_ms":
        return rising[-1]
    if measure == "upstream_mean_ms":
        upstream = [one.upstream_ms for one in events if one.attempts]
        return sum(upstream) / len(upstream)
    return exact_quantile(
        rising, {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}[measure]
    )
