"""A gRPC call on its way: its deadline, its status in trailers, and problems that its client understands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from foregate.gateway import grpc
from foregate.gateway.forwarding import trouble
from foregate.gateway.forwarding.proxied import Proxied
from foregate.http1.trailers import Fields
from foregate.kernel.errors import ERRORS

if TYPE_CHECKING:
    from foregate.gateway.forwarding.means import Forwarding
    from foregate.gateway.request import Request
    from foregate.http1.asking import UpstreamExchange

FAILED = "upstream_grpc_failed"  # the service answered with a status that says it has failed


class GrpcCall(Proxied):
    """A request of `content-type: application/grpc` over HTTP/2.

    An answer whose grpc-status is one of `grpc.FAILURES` is a failure of its target, as a 5xx is; where it came before
    anything else (Trailers-Only) it may be tried again by the same rules. `grpc-timeout` bounds the whole call, from
    the client's point of view: when it has passed, the upstream's stream is reset and the client told
    DEADLINE_EXCEEDED. An answer that breaks off ends with a status instead of a reset stream.
    """

    __slots__ = ("_failed", "_limit_s", "_timer")

    def __init__(self, request: Request, forward: bytes, chunked: bool, means: Forwarding) -> None:
        super().__init__(request, forward, chunked, means)
        self._failed = False
        self._timer: asyncio.TimerHandle | None = None
        given = request.header(b"grpc-timeout")
        self._limit_s = grpc.timeout_s(given) if given is not None else None
        if self._limit_s is not None:
            left_s = max(0.0, request.started_s + self._limit_s - self.monotonic())
            self._timer = asyncio.get_running_loop().call_later(left_s, self._deadline_passed)

    def response_head(self, connection: UpstreamExchange, chunks: list[bytes], complete: bool) -> None:
        if complete and connection.status == 200 and not connection.trailers:
            failure = _failure_in(connection.headers)
            if failure:
                now_s = self.monotonic()
                self.request.upstream_ms = (now_s - self.attempt_s) * 1000.0
                if trouble.answer_failed(self, connection, complete, now_s, failure):
                    return
                self._failed = True
        super().response_head(connection, chunks, complete)

    def response_body(self, chunks: list[bytes], complete: bool) -> None:
        connection = self.connection
        if complete and connection is not None and _failure_in(connection.trailers):
            self._failed = True
            self.depart(self.monotonic(), False)
        super().response_body(chunks, complete)

    def response_failed(self, code: str) -> None:
        if not self.status:
            super().response_failed(code)
            return
        self.connection = None
        now_s = self.monotonic()
        self.depart(now_s, False)
        self._break_off(code, now_s)

    def finish(self, status: int, error: str, now_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().finish(status, FAILED if self._failed and not error else error, now_s)

    def _deadline_passed(self) -> None:
        self._timer = None
        if self.finished:
            return
        if not self.status:
            trouble.time_over(self, self._limit_s or 0.0, "grpc:deadline")
            return
        now_s = self.monotonic()
        self.request.note("grpc:deadline")
        self.depart(now_s, None)  # it was answering: how long the client wants to listen says nothing about it
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abandon(self)
        self._break_off("upstream_timeout", now_s)

    def _break_off(self, code: str, now_s: float) -> None:
        """The answer has begun and will not go on: end it with a status."""
        spec = ERRORS[code]
        self.finish(self.status, code, now_s)
        self.exchange.end(grpc.problem_fields(spec.status, code, spec.title))
        self.exchange.flush()


def _failure_in(fields: Fields) -> int:
    """What a failing grpc-status among these is worth as a status of HTTP; 0 when there is none."""
    status = grpc.status_in(fields)
    return grpc.FAILURES.get(status, 0) if status else 0
