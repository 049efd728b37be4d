"""A request that a policy asked, on its way: it differs from a client's only in how its answer's head is written."""

from foregate.gateway.facts import Facts
from foregate.gateway.forwarding import Proxied, trouble
from foregate.gateway.inner.exchange import InnerExchange
from foregate.http1.asking import UpstreamExchange
from foregate.http1.client import ClientConnection


class InnerProxied(Proxied):
    """The head is told as it came: what becomes of it for the client is for who asked."""

    __slots__ = ()

    def answer(self, connection: UpstreamExchange, chunks: list[bytes], complete: bool, now_s: float) -> None:
        exchange = self.request.inner
        assert isinstance(exchange, InnerExchange)  # noqa: S101 - only such requests come here
        length = connection.content_length
        if length is None and complete and self.request.method != b"HEAD":
            length = sum(map(len, chunks))
        target = self.target.url if self.target is not None else ""
        exchange.so_far = Facts(
            self.status, "", self.attempts, self.breaker, target, self.inflight, self.first_byte_ms, self.request
        )
        exchange.begin(self.status, connection.headers, length)
        if exchange.over:
            return  # who asked has had enough of it
        if self.request.chain.streams and not complete:
            trouble.stream_begins(self, connection)
        self.stream(connection, chunks, complete, now_s)

    def response_body(self, chunks: list[bytes], complete: bool) -> None:
        connection, exchange = self.connection, self.request.inner
        if complete and isinstance(connection, ClientConnection) and exchange is not None:
            exchange.overrun = connection.overrun
        super().response_body(chunks, complete)
