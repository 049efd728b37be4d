"""One client that is given the answer of a fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.cache.asked import Asked
from foregate.gateway.cache.validate import head_of_304, not_modified
from foregate.gateway.facts import NO_FACTS
from foregate.kernel.errors import ERRORS

if TYPE_CHECKING:
    from foregate.gateway.cache.fill import Fill
    from foregate.gateway.inner import Asking
    from foregate.gateway.request import Request

FLUSH_BYTES = 65_536  # written before we look whether the client keeps up


class Reader:
    """`joined`: somebody else had asked before. `at`: pieces of the body that it has been given."""

    __slots__ = ("asked", "asking", "at", "fill", "joined", "over", "request", "status")

    def __init__(self, request: Request, asking: Asking, asked: Asked, fill: Fill, joined: bool) -> None:
        self.request = request
        self.asking = asking
        self.asked = asked
        self.fill = fill
        self.joined = joined
        self.at = 0
        self.status = 0
        self.over = False
        request.cache = "miss"  # also where its client leaves before the head is there
        request.exchange.receiver = self

    def begin(self) -> None:
        """The head has come: give it, and what there is of the body."""
        fill, request = self.fill, self.request
        head = fill.head
        assert head is not None  # noqa: S101 - for the type checker: fills call this when it has come
        request.cache = "miss"
        headers, length, status = head.headers, head.length, head.status
        asked = self.asked
        has_it = not asked.plain and not_modified(asked.if_none_match, asked.if_modified_since, status, headers)
        if has_it:
            status, headers, length = 304, head_of_304(headers), None
        headers = [field for field in headers if field[0] != b"x-cache"]
        said = b"cache-status: foregate; %s%s\r\nx-cache: MISS\r\n" % (
            fill.said,
            b"; collapsed" if self.joined else b"",
        )
        inner = fill.facts.request
        if inner is not None:
            said += inner.answer_lines  # that a fallback answered
        self.status = status
        if not self.asking.answer(request, status, headers, length, said):
            self.over = True
            fill.left(self)
        elif has_it:
            self._end()
            fill.left(self)
        else:
            self.pump()

    def pump(self) -> None:
        """Write what has come, as far as the client keeps up."""
        fill, exchange = self.fill, self.request.exchange
        size = 0
        while not self.over and not exchange.paused and self.at - fill.dropped < len(fill.chunks):
            chunk = fill.chunks[self.at - fill.dropped]
            exchange.write(chunk)
            self.at += 1
            size += len(chunk)
            if size >= FLUSH_BYTES:
                exchange.flush()
                size = 0
        if self.over:
            return
        if fill.done and self.at - fill.dropped >= len(fill.chunks):
            self._end(fill.error)
            fill.left(self)
        else:
            exchange.flush()

    def _end(self, error: str = "") -> None:
        """All of it has been written, or there will be no more."""
        self.over = True
        fill, exchange = self.fill, self.request.exchange
        facts = NO_FACTS if self.joined else fill.facts
        self.asking.finish(self.request, self.status, error or facts.error, facts)
        if error:
            exchange.abort()
            return
        exchange.end(fill.trailers)
        exchange.flush()

    def break_off(self) -> None:
        """It is so slow that what it still wants cannot be held."""
        self._end("overloaded")

    def go_alone(self) -> None:
        """The answer is not for this client, or does not come: ask for its own."""
        self.over = True
        self.fill.flow.ask_alone(self.request, self.asking, self.asked)

    # --- exchange.RequestReceiver ------------------------------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        """Such requests have none."""

    def request_aborted(self, code: str) -> None:
        if not self.over:
            self.over = True
            self.asking.finish(self.request, ERRORS[code].status, code)
            self.fill.left(self)

    def response_paused(self, paused: bool) -> None:
        if not paused and not self.over and self.status:
            self.pump()
            self.fill.drain()
