"""A client of HTTP/2 made of the h2 library, which shares nothing with the one we serve by; and frames by hand."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from foregate.http1.context import ServerContext
from foregate.http1.deadlines import Deadlines
from foregate.http1.server import ServerConnection
from foregate.http2.server import take_over
from foregate.kernel.clock import SystemClock

Headers = Sequence[tuple[bytes, bytes]]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
CALM = 0xB


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


@dataclass
class Answer:
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    trailers: dict[bytes, bytes] = field(default_factory=dict)
    interim: list[int] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None


class Asking:
    """One connection. With `takes=False` no window is opened again: what it may be sent is what it allowed at first."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, takes: bool, window: int) -> None:
        self._reader, self._writer = reader, writer
        self.takes = takes
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.h2.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        self.h2.initiate_connection()
        self.answers: dict[int, Answer] = {}
        self.goaway: int | None = None  # its error code
        self.goaways: list[int] = []  # their last streams
        self.closed = False
        self._changed = asyncio.Event()
        self._reading = asyncio.get_running_loop().create_task(self._read())
        self.flush()

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if not self.closed and not self._writer.is_closing():
            self._writer.write(data)

    def raw(self, data: bytes) -> None:
        self._writer.write(data)

    def begin(self, path: str = "/", method: str = "GET", *more: tuple[bytes, bytes], end: bool = True) -> int:
        """Send a request's head; the stream's number."""
        stream = self.h2.get_next_available_stream_id()
        fields = [
            (b":method", method.encode()),
            (b":scheme", b"http"),
            (b":authority", b"a"),
            (b":path", path.encode()),
        ]
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, [*fields, *more], end_stream=end)
        self.flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """A piece of a body that fits the window."""
        while len(data) > 16_384:
            self.h2.send_data(stream, data[:16_384])
            data = data[16_384:]
        self.h2.send_data(stream, data, end_stream=end)
        self.flush()

    def end(self, stream: int, trailers: Headers) -> None:
        self.h2.send_headers(stream, list(trailers), end_stream=True)
        self.flush()

    def reset(self, stream: int, code: int = 8) -> None:
        self.h2.reset_stream(stream, code)
        self.flush()

    async def ask(self, path: str = "/", method: str = "GET", *more: tuple[bytes, bytes], body: bytes = b"") -> Answer:
        stream = self.begin(path, method, *more, end=not body)
        if body:
            self.send(stream, body, end=True)
        return await self.answer(stream)

    async def answer(self, stream: int) -> Answer:
        """Once it is over."""
        answer = self.answers[stream]
        await self.until(lambda: answer.ended or answer.reset is not None or self.closed)
        return answer

    async def until(self, true: Callable[[], bool], timeout_s: float = 10.0) -> None:
        async def wait() -> None:
            while not true():
                self._changed.clear()
                await self._changed.wait()

        await asyncio.wait_for(wait(), timeout_s)

    async def close(self) -> None:
        self._reading.cancel()
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3]))
                if head[3] == GOAWAY:  # after which the library reads nothing any more, not even promised answers
                    last, self.goaway = struct.unpack(">II", payload[:8])
                    self.goaways.append(last)
                else:
                    for event in self.h2.receive_data(head + payload):
                        self._on(event)
                self.flush()
                self._changed.set()
        except (ConnectionError, asyncio.IncompleteReadError, h2.exceptions.ProtocolError):
            pass
        self.closed = True
        self._changed.set()

    def _on(self, event: h2.events.Event) -> None:
        stream = getattr(event, "stream_id", 0)
        answer = self.answers.get(stream or 0, Answer())
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(int(dict(event.headers)[b":status"]))
        elif isinstance(event, h2.events.ResponseReceived):
            answer.headers = dict(event.headers)
            answer.status = int(answer.headers[b":status"])
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if self.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = event.error_code


@contextlib.asynccontextmanager
async def asking(
    port: int, *, tls: ssl.SSLContext | None = None, takes: bool = True, window: int = 65_535
) -> AsyncIterator[Asking]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    connection = Asking(reader, writer, takes=takes, window=window)
    try:
        yield connection
    finally:
        await connection.close()


def context(application, **limits: object) -> ServerContext:  # type: ignore[no-untyped-def]
    clock = SystemClock()
    return ServerContext(application, clock, Deadlines(clock, tick_s=0.02), http2=take_over, **limits)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def served_by(shared: ServerContext) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: ServerConnection(shared), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await shared.close(0)
        shared.deadlines.stop()
