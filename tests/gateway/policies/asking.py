"""Requests as policies see them, without a connection; and the means that policies are given."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from foregate.gateway.policies.policy import Consumer, Means
from foregate.gateway.request import Request
from foregate.http1.head import Refusal, judge
from foregate.kernel.clock import Clock, ManualClock


class Asked:
    """Stands for an exchange: what was asked, and nothing to answer to."""

    def __init__(self, method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]], peer: str) -> None:
        found = judge(method, list(headers), "1.1")
        assert not isinstance(found, Refusal), found
        self.head = found
        self.method = method
        self.target = target
        self.headers = list(headers)
        self.peer = peer
        self.version = "1.1"
        self.protocol = "http/1.1"
        self.underscores = False
        self.request_bytes = 0
        self.response_bytes = 0


def ask(
    method: bytes = b"GET",
    path: bytes = b"/",
    headers: Sequence[tuple[bytes, bytes]] = (),
    peer: str = "10.0.0.1",
    *,
    body: bytes | None = None,
    consumer: Consumer | None = None,
    priority: int = 50,
    now_s: float = 0.0,
) -> Request:
    """A request; `path` may have a query, header names are lower-case. Host is there unless it is among `headers`."""
    if not any(name == b"host" for name, _ in headers):
        headers = [(b"host", b"api.example.com"), *headers]
    asked = Asked(method, path, headers, peer)
    path, question, query = path.partition(b"?")
    request = Request(asked, path, question + query, now_s)  # type: ignore[arg-type]
    request.body = body
    request.priority = priority
    if consumer is not None:
        request.consumer = consumer
    return request


def end(request: Request, status: int = 200, error: str = "", upstream_ms: float = 0.0) -> None:
    """What the core does when a request is over."""
    request.status, request.error, request.upstream_ms = status, error, upstream_ms
    for release in request.at_end or ():
        release(request)


def means(
    *,
    clock: Clock | None = None,
    lateness_s: Callable[[], float] = lambda: 0.0,
    consumers: Callable[[bytes], Consumer | None] = lambda raw: None,
    limits: Any = None,
    fetch: Any = None,
) -> Means:
    return Means(
        clock or ManualClock(), random.Random(7), limits, fetch, lambda what, facts: None, lateness_s, consumers, {}
    )
