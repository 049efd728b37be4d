"""An HTTP/2 server on the pure-Python `h2`, independent of what it tests: each connection does what its script says."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hyperframe.frame
from h2.settings import SettingCodes

Field = tuple[str, str]


class Asked:
    """One request: its fields, its body as it comes, and the means to answer it."""

    def __init__(self, connection: "H2Connection", stream_id: int, fields: list[Field]) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.fields = dict(fields)
        self.all_fields = fields
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.trailers: list[Field] = []
        self.reset = asyncio.Event()
        self.sent = 0  # bytes of body

    async def body(self) -> bytes:
        whole = b""
        while (piece := await self.pieces.get()) is not None:
            whole += piece
        return whole

    def head(self, status: int = 200, *fields: Field, end: bool = False) -> None:
        self.connection.h2.send_headers(self.stream_id, [(":status", str(status)), *fields], end_stream=end)
        self.connection.flush()

    async def data(self, data: bytes | memoryview, end: bool = False) -> None:
        """Within the window that the other side gives."""
        connection = self.connection
        data = memoryview(data)
        while data:
            room = min(connection.h2.local_flow_control_window(self.stream_id), connection.h2.max_outbound_frame_size)
            if room > 0:
                connection.h2.send_data(self.stream_id, bytes(data[:room]))
                connection.flush()
                data = data[room:]
                self.sent += room
            else:
                connection.window.clear()
                await connection.window.wait()
        if end:
            connection.h2.end_stream(self.stream_id)
            connection.flush()

    def finish(self, *trailers: Field) -> None:
        self.connection.h2.send_headers(self.stream_id, list(trailers), end_stream=True)
        self.connection.flush()

    def refuse(self, code: int) -> None:
        self.connection.h2.reset_stream(self.stream_id, code)
        self.connection.flush()


async def echo(asked: Asked) -> None:
    body = await asked.body()
    asked.head(200, ("x-path", asked.fields[":path"]), ("x-method", asked.fields[":method"]))
    await asked.data(body, end=True)


class H2Connection(asyncio.Protocol):
    def __init__(self, upstream: "H2Upstream") -> None:
        self.upstream = upstream
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.asked: dict[int, Asked] = {}
        self.window = asyncio.Event()
        self.pings = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.upstream.connections.append(self)
        self.h2.local_settings = h2.settings.Settings(
            client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: self.upstream.streams_max}
        )
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.upstream.lost += 1
        for task in self.tasks:
            task.cancel()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.transport.write(data)  # type: ignore[attr-defined]

    def goaway(self, last_stream_id: int) -> None:
        """As a frame of our own: `h2` would take itself for closed, and end nothing that is under way."""
        frame = hyperframe.frame.GoAwayFrame(0, last_stream_id=last_stream_id)
        self.transport.write(frame.serialize())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if self.upstream.deaf:
            return
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.upstream.complaints.append(str(error))
            self.flush()
            self.transport.close()
            return
        for event in events:
            self.take(event)
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self.flush()

    def take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            asked = self.asked[event.stream_id] = Asked(self, event.stream_id, event.headers)  # type: ignore[arg-type, index]
            self.upstream.requests.append(asked)
            self.upstream.most = max(self.upstream.most, self.h2.open_inbound_streams)
            task = asyncio.ensure_future(self.upstream.answer(asked))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif isinstance(event, h2.events.DataReceived):
            self.asked[event.stream_id].pieces.put_nowait(event.data)
            if self.upstream.takes:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)  # type: ignore[arg-type]
        elif isinstance(event, h2.events.TrailersReceived):
            self.asked[event.stream_id].trailers = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            self.asked[event.stream_id].pieces.put_nowait(None)
        elif isinstance(event, h2.events.StreamReset):
            self.asked[event.stream_id].reset.set()
            self.upstream.resets += 1
        elif isinstance(event, h2.events.PingReceived):
            self.pings += 1
        elif isinstance(event, h2.events.WindowUpdated):
            self.window.set()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.upstream.goodbyes += 1


class H2Upstream:
    """`takes` False: the body's window is never given back. `deaf`: nothing is read any more."""

    def __init__(self, answer: Callable[[Asked], Awaitable[None]], streams_max: int) -> None:
        self.answer = answer
        self.streams_max = streams_max
        self.takes = True
        self.deaf = False
        self.connections: list[H2Connection] = []
        self.requests: list[Asked] = []
        self.complaints: list[str] = []
        self.lost = self.most = self.resets = self.goodbyes = 0


@contextlib.asynccontextmanager
async def h2_upstream(
    answer: Callable[[Asked], Awaitable[None]] = echo,
    *,
    streams_max: int = 100,
    tls: ssl.SSLContext | None = None,
    path: str = "",
) -> AsyncIterator[tuple[H2Upstream, int]]:
    upstream = H2Upstream(answer, streams_max)
    loop = asyncio.get_running_loop()
    if path:
        server: asyncio.AbstractServer = await loop.create_unix_server(lambda: H2Connection(upstream), path)
        port = 0
    else:
        tcp = await loop.create_server(lambda: H2Connection(upstream), "127.0.0.1", 0, ssl=tls)
        server, port = tcp, int(tcp.sockets[0].getsockname()[1])
    try:
        yield upstream, port
    finally:
        server.close()
        for connection in upstream.connections:
            connection.transport.abort()  # type: ignore[attr-defined]
