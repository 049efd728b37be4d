"""What a policy that answers by itself may do: ask services, answer the client, end its request."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING

from foregate.gateway.facts import NO_FACTS, Facts
from foregate.gateway.heads import answer_fields
from foregate.gateway.held_bodies import HeldBodies
from foregate.gateway.inner.exchange import AnswerReceiver, InnerExchange
from foregate.gateway.policies.policy import Refuse
from foregate.gateway.record import Recorder
from foregate.gateway.request import Request
from foregate.http1.headers import HeaderList, encode
from foregate.kernel.clock import Clock

if TYPE_CHECKING:
    from foregate.gateway.admission import Admission


class Asking:
    """One per worker. `run` sends an inner request through its chain; `refuse` answers a client with a problem."""

    __slots__ = ("_admission", "_fields", "_headers", "_recorder", "_status", "clock", "monotonic", "recorded")

    def __init__(self, admission: Admission, recorder: Recorder, clock: Clock) -> None:
        self._admission = admission
        self._headers: HeaderList = []  # of the last answer, kept so that nobody else's list is taken for it …
        self._status = 0
        self._fields = b""  # … and what became of them
        self._recorder = recorder
        self.clock = clock
        self.monotonic = clock.monotonic
        self.recorded = recorder.finished  # for who is in a hurry: `finish` without facts

    def ask(
        self,
        parent: Request,
        receiver: AnswerReceiver,
        *,
        service: str = "",
        method: bytes = b"",
        path: bytes | None = None,
        query: bytes | None = None,
        kept: tuple[bytes, ...] | None = None,
        body: bytes | None = None,
        bare: bool = False,
    ) -> InnerExchange:
        """Ask `service` ("": the chain's own) what `parent` asks for, but for what is given otherwise.

        `path` is then the very path that is asked for; without it the route's rewriting applies. `kept` are the lines
        to send, without CRLF. `body`: None for the parent's, where it has been read whole. `bare`: the service is
        somebody else's, and is not told who the client is; it may be asked twice where it had closed the connection.
        Returns at once, and tells the receiver nothing before that. Raises KeyError for a service that is not
        configured.
        """
        chain = parent.chain.inner(service)
        body = parent.body if body is None else body
        path_asked, query_asked = (
            parent.path if path is None else path,
            parent.query if query is None else query,
        )
        exchange = InnerExchange(
            receiver,
            parent,
            method or parent.method,
            path_asked + query_asked,
            len(body or b""),
            path is not None,
            self.clock,
        )
        request = Request(exchange, path_asked, query_asked, self.clock.monotonic())
        request.inner = exchange
        request.route, request.params, request.end = parent.route, parent.params, parent.end
        request.chain, request.consumer, request.priority = chain, parent.consumer, parent.priority
        request.client, request.proto, request.noted = parent.client, parent.proto, parent.noted
        request.kept = parent.kept if kept is None else kept
        request.body = body
        request.repeatable = request.repeatable and parent.repeatable if not method else request.repeatable
        if bare:
            exchange.bare = request.repeatable = True
        request.request_id, request.trace_id = parent.request_id, parent.trace_id
        request.parent_flags = parent.parent_flags
        self._admission.run(request)
        exchange.asked()
        return exchange

    def answer(
        self, request: Request, status: int, headers: HeaderList, length: int | None, lines: bytes = b""
    ) -> bool:
        """Write the head of the client's answer: `headers` of a service pass what the route does with answers.

        `lines`: further header lines, each with CRLF. Then write to `request.exchange`: `write`…, `flush`; at the end
        `finish` first and `exchange.end()` after it. False: a policy failed, and the client has its (finished) answer.
        """
        chain, exchange = request.chain, request.exchange
        try:
            if chain.answerers:
                for answered in chain.answerers:
                    headers = answered(request, status, headers)
                encode(headers)  # raises for what would break out of its line
                fields = answer_fields(status, headers)
            elif headers is self._headers and status == self._status:
                fields = self._fields  # the same as before: answers of our own making have few heads
            else:
                fields = self._fields = answer_fields(status, headers)
                self._headers, self._status = headers, status
        except Exception as error:  # noqa: BLE001 - whatever a policy does, the request gets its answer
            self._admission.failed(request, error)
            return False
        if b"\r\ndate: " not in fields:
            fields += exchange.date_line
        if chain.service is not None:
            fields += chain.service.header_line
        took_ms = (self.clock.monotonic() - request.started_s) * 1000.0
        timing = f"x-gateway-response-time: {took_ms:.2f}\r\nx-request-id: {request.request_id}\r\n"
        exchange.send_head(status, b"%s%s%s%s" % (fields, timing.encode(), request.answer_lines, lines), length)
        return True

    @property
    def bodies(self) -> HeldBodies:
        """The budget for bodies that are held."""
        return self._admission.bodies

    def failed(self, request: Request, error: Exception) -> None:
        """A policy raised while the client's answer was being made: it gets a problem instead, and is finished."""
        self._admission.failed(request, error)

    def tell(self, request: Request, error: Exception) -> None:
        """A policy raised when its answer had begun: said in the log, what becomes of the answer is its own to say."""
        self._admission.tell(request, error)

    def refuse(self, request: Request, refusal: Refuse) -> None:
        """Answer the client with a problem; its request is finished by that."""
        self._admission.refuse(request, refusal)

    def finish(self, request: Request, status: int, error: str = "", facts: Facts = NO_FACTS) -> None:
        """Leave the client's event, once, before the last byte of its answer goes out.

        `facts`: of the inner request that its answer came from, where there was one.
        """
        if facts is NO_FACTS:
            self._recorder.finished(request, status, error, self.clock.monotonic())
            return
        asked = facts.request
        first_byte_ms = facts.first_byte_ms
        if asked is not None:
            _tell_of(asked, request)
            if first_byte_ms >= 0.0:
                first_byte_ms += (asked.started_s - request.started_s) * 1000.0
        self._recorder.finished(
            request,
            status,
            error,
            self.clock.monotonic(),
            facts.attempts,
            facts.breaker,
            facts.target,
            facts.inflight,
            first_byte_ms,
        )


def _tell_of(asked: Request, request: Request) -> None:
    """The client's event says what was said of the request that its answer came from, and who answered it."""
    request.upstream_ms = asked.upstream_ms
    request.waited_s += asked.waited_s
    for outcome in asked.outcomes or ():
        request.note(outcome)
        if outcome.startswith("fallback:service"):
            request.chain = chain = copy(request.chain)
            chain.service, chain.service_name = asked.chain.service, asked.chain.service_name


Begin = Callable[[Request, Asking], None]
