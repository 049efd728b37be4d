"""Spans to test with, and forests of them made by chance."""

import random
from collections.abc import Iterable

import msgspec

from foregate.wire.span import Span

T0_NS = 1_700_000_100_000_000_000
MS = 1_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def span(made_of: str, parent: str = "", start_ms: float = 0, end_ms: float = 10, **changes: object) -> Span:
    """A span with an id and a name made of one word, of service "shop" unless it says another."""
    plain = Span(
        org="default",
        environment="production",
        service="shop",
        trace_id=TRACE,
        span_id=span_id(made_of),
        parent_id=span_id(parent) if parent else "",
        name=made_of,
        kind="internal",
        start_ns=T0_NS + int(start_ms * MS),
        end_ns=T0_NS + int(end_ms * MS),
    )
    return msgspec.structs.replace(plain, **changes)


def span_id(name: str) -> str:
    return name.encode().hex().ljust(16, "0")[:16]


def call(name: str, parent: str, start_ms: float, end_ms: float, to: str, **changes: object) -> list[Span]:
    """A client span of the shop, and 2 ms inside it the server span of whom it asks."""
    return [
        span(name, parent, start_ms, end_ms, kind="client", peer=to),
        span(f"{name}!", name, start_ms + 2, end_ms - 2, kind="server", service=to, **changes),
    ]


def tree(chance: random.Random, count: int, *, services: int = 3, lost: float = 0.0) -> list[Span]:
    """A random trace: parents are among the spans made before, some of which are `lost` at the end."""
    made: list[Span] = []
    for number in range(count):
        parent = chance.choice(made) if made else None
        start_ms = chance.uniform(0, 50)
        made.append(
            span(
                f"s{number}",
                parent.name if parent else "",
                start_ms,
                start_ms + chance.uniform(0, 60),
                service=f"service-{chance.randrange(services)}",
                instance=f"host-{chance.randrange(3)}",
                environment=chance.choice(("aws", "on-prem")),
                kind=chance.choice(("internal", "server", "client", "producer", "consumer")),
            )
        )
    return [one for one in made if chance.random() >= lost]


def names(spans: Iterable[Span]) -> list[str]:
    return [one.name for one in spans]
