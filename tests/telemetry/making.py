"""Events to test with, and windows computed in the plainest way to compare with."""

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from foregate.telemetry.facets import CLASSES, facets_of, latencies_by_class
from foregate.telemetry.sketch import Sketch
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent, encode_event
from foregate.wire.window import StoredWindow, WindowStats

T0 = 1_700_000_100.0  # a multiple of 900 s
ENCODE = msgspec.msgpack.Encoder().encode

_PLAIN = RequestEvent(
    time_s=T0,
    org="default",
    service="payments",
    route="/pay",
    method="POST",
    status=200,
    latency_ms=20.0,
    upstream_ms=18.0,
    request_bytes=100,
    response_bytes=2_000,
    key_id="key_demo",
    environment="production",
    request_id="0" * 32,
    trace_id="1" * 32,
    span_id="2" * 16,
    attempts=1,
    limit="allowed",
    breaker="closed",
    cache="none",
    error="",
    target="http://127.0.0.1:9000",
    inflight=1,
    first_byte_ms=19.0,
)


def event(**changes: object) -> RequestEvent:
    """An ordinary event with some fields changed."""
    return msgspec.structs.replace(_PLAIN, **changes)


def payload(events: Iterable[RequestEvent]) -> bytes:
    """A batch as the bus carries it."""
    listed = list(events)
    return b"\xdd" + len(listed).to_bytes(4, "big") + b"".join(encode_event(one) for one in listed)


def traffic(
    seed: int, count: int, *, seconds: float = 1_200.0, entities: int = 5, start_s: float = T0
) -> list[RequestEvent]:
    """Random events of every kind, in order of time."""
    chance = random.Random(seed)
    times = sorted(start_s + chance.random() * seconds for _ in range(count))
    return [_random_event(chance, time_s, entities) for time_s in times]


def _random_event(chance: random.Random, time_s: float, entities: int) -> RequestEvent:
    latency_ms = chance.lognormvariate(3.0, 1.0)
    plain = event(
        time_s=time_s,
        route=f"/r/{chance.randrange(entities)}",
        latency_ms=latency_ms,
        upstream_ms=latency_ms * 0.9,
        waited_ms=chance.choice((-1.0, 0.0, latency_ms * 0.05)),
        inflight=chance.randrange(1, 30),
        attempts=chance.choice((1, 1, 1, 2, 3)),
        key_id=f"key_{chance.randrange(4)}",
        client=f"192.0.2.{chance.randrange(40)}",
    )
    kinds: tuple[dict[str, object], ...] = (
        {},
        {},
        {},
        {"status": 500},
        {"status": 504, "error": "upstream_timeout"},
        {"status": 429, "limit": "refused", "error": "rate_limited", "attempts": 0, "upstream_ms": 0.0},
        {"status": 503, "breaker": "open", "error": "circuit_open", "attempts": 0, "upstream_ms": 0.0},
        {"status": 404},
        {"status": 401, "error": "key_invalid", "attempts": 0, "upstream_ms": 0.0},
        {"status": 499, "error": "client_closed"},
    )
    return msgspec.structs.replace(plain, **chance.choice(kinds))


def counted(events: Sequence[RequestEvent]) -> dict[str, int]:
    """The exact numbers of a window over these events, none of a model's."""
    waited_ms = [one.waited_ms for one in events if one.waited_ms > 0.0 or (one.waited_ms == 0.0 and one.attempts > 0)]
    return {
        "requests": len(events),
        "errors": sum(one.failed for one in events),
        "timeouts": sum(one.status >= 500 and one.error == "upstream_timeout" for one in events),
        "client_errors": sum(400 <= one.status < 499 and one.limit != "refused" for one in events),
        "limited": sum(one.limit == "refused" for one in events),
        "broken": sum(one.breaker == "open" for one in events),
        "retries": sum(max(0, one.attempts - 1) for one in events),
        "request_bytes": sum(one.request_bytes for one in events),
        "response_bytes": sum(one.response_bytes for one in events),
        "inflight_max": max((one.inflight for one in events), default=0),
        "upstream_limited": sum(one.status == 429 and one.attempts > 0 and one.limit != "refused" for one in events),
        "waits": len(waited_ms),
        "wait_us": sum(int(one * 1_000 + 0.5) for one in waited_ms),
    }


def measured_ms(events: Sequence[RequestEvent]) -> list[float]:
    """The latencies that count: of requests that we did not refuse ourselves, rising."""
    return sorted(one.latency_ms for one in events if one.attempts > 0)


def exact_quantile(rising: Sequence[float], share: float) -> float:
    """Rank ⌈share·n⌉ of n; 0 of nothing."""
    return rising[max(1, math.ceil(share * len(rising))) - 1] if rising else 0.0


def assert_window(stats: WindowStats, events: Sequence[RequestEvent]) -> None:
    """Numbers exact, quantiles within 1 %."""
    expected = counted(events)
    assert {name: getattr(stats, name) for name in expected} == expected
    rising = measured_ms(events)
    shares = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}
    for name, share in shares.items():
        exact = exact_quantile(rising, share)
        assert abs(getattr(stats, name) - exact) <= exact * 0.0101, (name, getattr(stats, name), exact)
    mean = sum(rising) / len(rising) if rising else 0.0
    assert abs(stats.mean_ms - mean) <= 0.001
    assert stats.max_ms == (rising[-1] if rising else 0.0)


def assert_facets(window: StoredWindow, events: Sequence[RequestEvent]) -> None:
    """Exact: the tests have few keys and clients."""
    facets = facets_of(window)
    classes = Counter(one.status // 100 for one in events)
    assert facets.counts == [classes[status_class] for status_class in CLASSES]
    for status_class, sketch in latencies_by_class(window).items():
        of_class = [one for one in events if one.status // 100 == status_class]
        exact = Sketch()
        for latency_ms in measured_ms(of_class):
            exact.add(latency_ms)
        assert (sketch.buckets, sketch.sum_us) == (exact.buckets, exact.sum_us)
    assert facets.keys.counts == Counter(one.key_id for one in events if one.key_id)
    assert facets.clients.estimate() == len({one.client for one in events if one.client})


def by_window(events: Sequence[RequestEvent], span_s: int) -> dict[tuple[Entity, float], list[RequestEvent]]:
    """Events per (entity, start of the window)."""
    found: dict[tuple[Entity, float], list[RequestEvent]] = {}
    for one in events:
        found.setdefault((one.entity, one.time_s // span_s * span_s), []).append(one)
    return found
