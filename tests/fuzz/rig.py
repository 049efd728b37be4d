"""The real engine between a fuzzed client and an upstream that believes nothing, all in memory.

Client bytes go into a real `ServerConnection`; what it lets through goes over a real keep-alive `ClientConnection` to a
stub upstream, which reads it with the oracle alone. No sockets and no loop: transports are stubs whose events wait in
one queue, as they would in a loop, so a case takes a fraction of a millisecond and always goes the same way.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.fuzz.oracle import Message, read_request

from foregate.http1.client import ClientConnection, frame
from foregate.http1.deadlines import Expiring
from foregate.http1.exchange import Exchange
from foregate.http1.headers import FRAMING, HOP_BY_HOP, encode
from foregate.http1.server import ServerConnection, ServerContext
from foregate.kernel.clock import ManualClock

Loop = deque[Callable[[], None]]
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
)


class Watchless:
    """Time stands still here: nobody is late."""

    def watch(self, item: Expiring) -> None: ...

    def forget(self, item: Expiring) -> None: ...


class Wire:
    """A transport without a socket: keeps what is written; its closing is told to the protocol by the loop."""

    def __init__(self, loop: Loop, protocol: Any, written: Callable[[bytes], None]) -> None:
        self._loop, self._protocol, self._written = loop, protocol, written
        self.closed = False
        self.half_closed = False
        self.reading = True

    def write(self, data: bytes) -> None:
        assert not self.closed, "written after close"
        assert not self.half_closed, "written after EOF"
        self._written(data)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._loop.append(lambda: self._protocol.connection_lost(None))

    abort = close

    def write_eof(self) -> None:
        self.half_closed = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, name: str) -> None: ...


class Upstream:
    """One upstream connection as the other end sees it; reads with the oracle, answers when it likes."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.received = b""
        self.at = 0
        self.serves: list[int] = []  # which of the client's requests were sent here, in order
        self.messages: list[Message] = []
        self._answered = 0
        self._dying = False  # it has read its last byte
        self.connection = ClientConnection(rig, rig.clock, rig.deadlines)  # type: ignore[arg-type]
        self.wire = Wire(rig.loop, self.connection, self._take)
        self.connection.connection_made(self.wire)  # type: ignore[arg-type]

    def _take(self, data: bytes) -> None:
        if self._dying:
            return
        self.received += data
        while (message := read_request(self.received, self.at, from_client=False)) is not None:
            self.messages.append(message)
            self.at = message.end
            self._rig.reached(self, message)
            if self._answered < len(self.messages):
                self._answer()
        rng = self._rig.rng
        if self.at < len(self.received) and not rng.randrange(16) and self._answered == len(self.messages):
            self._answer()  # before the request is complete

    def _answer(self) -> None:
        self._answered += 1
        rng = self._rig.rng
        answer = rng.choice(ANSWERS)
        if not rng.randrange(32):
            answer = answer[: rng.randrange(self._rig.answer_bytes_min, len(answer))]  # and then it dies
            self._deliver(answer)
            self._dying = True
            self._rig.loop.append(self._die)
        elif rng.randrange(4):
            self._deliver(answer)
        else:
            cut = rng.randrange(len(answer))
            self._deliver(answer[:cut])
            self._deliver(answer[cut:])

    def _deliver(self, data: bytes) -> None:
        def arrive() -> None:
            if data and not self.wire.closed:
                self.connection.data_received(data)

        self._rig.loop.append(arrive)

    def _die(self) -> None:
        if not self.wire.closed and not self.connection.eof_received():
            self.wire.close()


class Rig:
    """One client connection, and as many upstream connections as it takes."""

    answer_bytes_min = 0  # what an upstream that dies says at least

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.loop: Loop = deque()
        self.clock = ManualClock()
        self.deadlines = Watchless()
        self.upstreams: list[Upstream] = []
        self.idle: list[Upstream] = []
        self.reaching: list[tuple[int, Message]] = []  # (which of the client's requests, what the upstream read)
        self.begun = 0  # exchanges handed to the application
        self.answers = b""
        context = ServerContext(self._serve, self.clock, self.deadlines)  # type: ignore[arg-type]
        self.server = ServerConnection(context)
        self.wire = Wire(self.loop, self.server, self._answered)
        self.server.connection_made(self.wire)  # type: ignore[arg-type]

    def _answered(self, data: bytes) -> None:
        self.answers += data

    def _serve(self, exchange: Exchange) -> None:
        self.begun += 1
        upstream = next((each for each in self.idle if each.connection.usable), None) or Upstream(self)
        if upstream in self.idle:
            self.idle.remove(upstream)
        else:
            self.upstreams.append(upstream)
        upstream.serves.append(self.begun - 1)
        Forwarding(exchange, upstream.connection)

    def reached(self, upstream: Upstream, message: Message) -> None:
        """An upstream has read a whole request."""
        number = len(upstream.messages)
        assert number <= len(upstream.serves), "more messages at the upstream than were sent"
        self.reaching.append((upstream.serves[number - 1], message))

    def run(self) -> None:
        """Let everything happen that is waiting to happen."""
        for _ in range(10_000):
            if not self.loop:
                return
            self.loop.popleft()()
        raise AssertionError("events without end")

    def send(self, data: bytes) -> None:
        """The client's next bytes arrive, once they are read."""
        if not self.wire.reading:
            self.run()
        assert self.wire.reading or self.wire.closed, "reading was paused and never resumed"
        if not self.wire.closed:
            self.server.data_received(data)
        if self.rng.randrange(3):
            self.run()
        if not self.rng.randrange(32) and not self.wire.closed:
            self.server.pause_writing()
            self.run()
            if not self.wire.closed:
                self.server.resume_writing()

    # --- the pool ---------------------------------------------------------------------------------------------

    def connection_idle(self, connection: ClientConnection) -> None:
        self.idle += [each for each in self.upstreams if each.connection is connection]

    def connection_closed(self, connection: ClientConnection) -> None:
        self.idle = [each for each in self.idle if each.connection is not connection]


class Forwarding:
    """Carries one exchange to the upstream and back, as a gateway without policies would."""

    def __init__(self, exchange: Exchange, connection: ClientConnection) -> None:
        self._exchange, self._connection = exchange, connection
        exchange.receiver = self
        head = exchange.head
        chunks, complete = exchange.take_body(), exchange.told_complete
        dropped = HOP_BY_HOP | FRAMING | head.connection_tokens | {b"host", b"expect"}
        kept = [field for field in exchange.headers if field[0] not in dropped]
        data = b"%s %s HTTP/1.1\r\nhost: upstream\r\n" % (exchange.method, exchange.target) + encode(kept)
        if head.chunked:
            data += b"transfer-encoding: chunked\r\n\r\n" + frame(chunks, complete, exchange.trailers)
        else:
            framing = b"" if head.content_length is None else b"content-length: %d\r\n" % head.content_length
            data += framing + b"\r\n" + b"".join(chunks)
        if head.expects_continue:
            exchange.send_continue()
        connection.send(self, data, 30.0, head_only=exchange.method == b"HEAD", complete=complete, chunked=head.chunked)

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        self._connection.write(chunks, complete, self._exchange.trailers)

    def request_aborted(self, code: str) -> None:
        self._connection.abandon(self)

    def response_paused(self, paused: bool) -> None:
        self._connection.pause_response(paused)

    def request_paused(self, paused: bool) -> None: ...

    def response_head(self, connection: ClientConnection, chunks: list[bytes], complete: bool) -> None:
        lines = b"HTTP/1.1 %d X\r\n" % connection.status
        if complete and connection.content_length is not None:
            self._exchange.send_whole(connection.status, (lines,), connection.content_length, chunks)
            self._exchange.end()
            return
        self._exchange.send_head(connection.status, lines, connection.content_length)
        self.response_body(chunks, complete)

    def response_body(self, chunks: list[bytes], complete: bool) -> None:
        for chunk in chunks:
            self._exchange.write(chunk)
        if complete:
            self._exchange.end(self._connection.trailers)
        self._exchange.flush()

    def response_failed(self, code: str) -> None:
        if self._exchange.head_sent:
            self._exchange.abort()
            return
        self._exchange.send_head(502, b"HTTP/1.1 502 X\r\n", 0)
        self._exchange.end()
        self._exchange.flush()
