"""One instance of a service as an HTTP server on loopback. When its process dies, connections really are refused."""

import asyncio
from collections.abc import AsyncIterator, Callable

from foregate.http1 import Request, Response, Server
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.kernel.tasks import spawn
from foregate.lab.live.config import HOST
from foregate.lab.live.stream import TokenStream
from foregate.lab.model.call import Answer, Call, Closed, Refused
from foregate.lab.model.instance import Instance
from foregate.lab.model.service import Service

BODY_BYTES_MAX = 65_536  # 413 beyond it
JSON = (b"content-type", b"application/json")
EVENT_STREAM = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"))
Report = Callable[[str, BaseException], None]


class InstanceServer:
    """Serves one instance; follows its deaths and births with its listener."""

    def __init__(self, service: Service, instance: Instance, clock: Clock, report: Report) -> None:
        self.instance = instance
        self.port = 0
        self._service = service
        self._clock = clock
        self._report = report
        self._server: Server | None = None
        self._lock = asyncio.Lock()
        self._name = instance.name.encode()

    async def start(self, port: int) -> None:
        """Listen on `port` (0: a free one, kept for good). Raises OSError when it is taken."""
        self._server = Server(self._handle, self._clock)
        self.port = await self._server.start(HOST, port)
        self.instance.on_change.append(self._changed)

    async def close(self) -> None:
        """Stop listening and break off what runs."""
        if self._changed in self.instance.on_change:
            self.instance.on_change.remove(self._changed)
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.close(0.0)

    def _changed(self, instance: Instance) -> None:
        spawn(self._follow(), name=f"{instance.name} listener", on_error=self._report)

    async def _follow(self) -> None:
        """Bring the listener to where the instance is; a later change waits for an earlier one."""
        async with self._lock:
            if not self.instance.reachable:
                await self._close()
            elif self._server is None:
                self._server = Server(self._handle, self._clock)
                await self._server.start(HOST, self.port)

    async def _handle(self, request: Request) -> Response:
        body = await request.body(BODY_BYTES_MAX) if request.method in ("POST", "PUT") else b""
        call = Call(request.method, f"{request.path}?{request.query}" if request.query else request.path, body)
        if call.path.endswith("/chat"):
            return await self._stream(call)
        # Shielded: a service works on even when the caller has given up, and so wastes its seat.
        answer = await asyncio.shield(self._work(call))
        return Response(answer.status, answer.body, (JSON, (b"x-instance", self._name)))

    def _work(self, call: Call) -> asyncio.Task[Answer]:
        return spawn(self._carry(call), name=f"{self.instance.name} {call.path}", on_error=self._report)

    async def _carry(self, call: Call) -> Answer:
        try:
            return await self._service.handle(call, self.instance)
        except (Closed, Refused):  # the listener has gone with its process: nobody hears this answer
            return Answer(503)

    async def _stream(self, call: Call) -> Response:
        """The head waits for the first token, or for the refusal in its place."""
        stream = TokenStream()
        call.emit = stream.emit
        task = self._work(call)
        task.add_done_callback(stream.finish)
        try:
            began = await stream.began()
        except asyncio.CancelledError:
            stream.leave()
            raise
        if not began:
            answer = await task
            return Response(answer.status, answer.body, (JSON, (b"x-instance", self._name)))
        return Response(200, _closing(stream), (*EVENT_STREAM, (b"x-instance", self._name)))


async def _closing(stream: TokenStream) -> AsyncIterator[bytes]:
    """The chunks of `stream`; a reader that leaves ends the generation. Raises ForegateError when it breaks off."""
    try:
        async for chunk in stream.chunks():
            yield chunk
    finally:
        stream.leave()
    if stream.broken:
        raise ForegateError("upstream_closed")
