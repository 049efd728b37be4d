"""The archive's adapters, and items to put into them."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from tests.telemetry.making import T0, event, traffic

from foregate.kernel.clock import ManualClock
from foregate.ports.archive import ArchiveReader, ArchiveWriter
from foregate.wire.event import AiUsage, RequestEvent
from foregate.wire.point import Point
from foregate.wire.span import Span

DAY_S = 86_400.0
ALL_S = (0.0, 4e9)


@dataclass
class Archives:
    """How to open both sides; twice gives two handles on the same store. One writer at a time."""

    clock: ManualClock
    open_writer: Callable[[], ArchiveWriter]
    open_reader: Callable[[], ArchiveReader]


def busy(seed: int, count: int, *, days: float = 3.0) -> list[RequestEvent]:
    """Requests of two organisations over some days, told apart by all that one can ask for."""
    return [
        msgspec.structs.replace(
            one,
            org=("default", "acme")[at % 5 == 0],
            service=("payments", "orders", "users")[at % 3],
            client=f"10.0.0.{at % 17}" if at % 11 else "",
            key_id=f"key_{at % 7}" if at % 13 else "",
            region=("eu", "us", "")[at % 3],
            path=f"/users/{at % 40}?",
            request_id=f"{seed:08x}{at:024x}",
        )
        for at, one in enumerate(traffic(seed, count, seconds=days * DAY_S))
    ]


def rich_event() -> RequestEvent:
    """One with something in every field."""
    usage = AiUsage(
        "chat", "openai", "gpt-5", "gpt-5-1", 10, 20, 5, 0.25, True, 12.5, 1.5, True, "stop", "openai/gpt-5:ok"
    )
    return event(
        policies="rate_limits:allowed",
        client="2001:db8::1",
        path='/it\'s "quoted"/ü',
        protocol="h2",
        ai=usage,
        host="api.example",
        parent_span_id="3" * 16,
        region="eu-central-1",
        cloud="aws",
        instance="pod-1",
        source="otlp",
    )


def span(at: int = 0, **changes: object) -> Span:
    """A server span."""
    plain = Span(
        "default", "production", "payments", f"{at:032x}", f"{at:016x}", "", "GET /pay", "server",
        int(T0 * 1e9) + at * 1_000_001, int(T0 * 1e9) + at * 1_000_001 + 5_000_000,
        attributes={"http.request.method": "GET", "it's": '"quoted"'}, links=("f" * 32,),
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def point(at: int = 0, **changes: object) -> Point:
    """A histogram."""
    plain = Point(
        "default", "production", "payments", "http.server.request.duration", "histogram", T0 + at, 12.5, unit="s",
        count=3, bounds=(0.1, 1.0), buckets=(1, 2, 0), attributes={"code": "200"},
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)
