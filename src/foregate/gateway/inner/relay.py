"""Passing an inner answer on to the client as it comes: what most policies that ask services do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.facts import NO_FACTS
from foregate.gateway.inner.exchange import AnswerHead, InnerExchange
from foregate.http1.trailers import Fields
from foregate.kernel.errors import ERRORS

if TYPE_CHECKING:
    from foregate.gateway.inner.asking import Asking
    from foregate.gateway.request import Request


class Relay:
    """`AnswerReceiver` of the inner request, `RequestReceiver` of the client's; `start` asks. To be extended.

    A subclass that overrides an `answer_…` method sees the answer, and calls this one's to pass it on.
    """

    __slots__ = ("asking", "inner", "request", "status")

    def __init__(self, request: Request, asking: Asking) -> None:
        self.request = request
        self.asking = asking
        self.status = 0
        self.inner: InnerExchange | None = None
        request.exchange.receiver = self

    def start(self) -> None:
        """Ask the chain's own service what the client asks."""
        self.inner = self.asking.ask(self.request, self)

    # --- AnswerReceiver --------------------------------------------------------------------------------------

    def answer_head(self, head: AnswerHead) -> None:
        self.status = head.status
        exchange = self.request.exchange
        asked = self.inner.so_far.request if self.inner is not None else None
        lines = asked.answer_lines if asked is not None else b""
        if not self.asking.answer(self.request, head.status, head.headers, head.length, lines):
            self.status = 0
            if self.inner is not None:
                self.inner.forget()
        elif exchange.paused and self.inner is not None:
            self.inner.pause(True)

    def answer_body(self, chunks: list[bytes]) -> None:
        exchange = self.request.exchange
        for chunk in chunks:
            exchange.write(chunk)
        exchange.flush()

    def answer_end(self, trailers: Fields) -> None:
        if self.status:
            self.finish(self.status)
            self.request.exchange.end(trailers)

    def answer_broken(self, code: str) -> None:
        if self.status:
            self.finish(self.status, code)
            self.request.exchange.abort()

    def finish(self, status: int, error: str = "") -> None:
        """Leave the event, with what became of the inner request."""
        facts = self.inner.facts if self.inner is not None else NO_FACTS
        self.asking.finish(self.request, status, error or facts.error, facts)
        if self.inner is not None:
            self.inner.forget()

    # --- RequestReceiver -------------------------------------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        """It has all come, or the policy would not have asked."""

    def request_aborted(self, code: str) -> None:
        if self.inner is not None:
            self.inner.cancel()
        self.finish(ERRORS[code].status, code)

    def response_paused(self, paused: bool) -> None:
        if self.inner is not None:
            self.inner.pause(paused)
