"""The client side of one HTTP/2 connection: many requests at a time, each an `UpstreamStream` (RFC 9113).

libnghttp2 (`ngh2`) holds the protocol; this moves bytes between it and the transport, and keeps time and bounds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol, cast

import ngh2
from ngh2 import Header, NGH2Error, Setting

from foregate.http1.deadlines import NEVER, Deadlines
from foregate.http1.trailers import Fields
from foregate.http2.stream import UpstreamStream
from foregate.kernel import limits
from foregate.kernel.clock import Clock

_CANCEL = 0x08
_WRITE_BYTES = 65_536  # taken from the engine at a time: what waits in it follows the upstream's windows
_RELIEVED_BYTES = limits.WRITE_BUFFER_BYTES_HIGH // 4  # so little of a body waits, and its client may send more
_UNLIMITED = 0xFFFF_FFFF


class ConnectionOwner(Protocol):
    """The pool: hears when the connection is gone."""

    def connection_closed(self, connection: UpstreamConnection) -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """One connection to an upstream that speaks HTTP/2.

    At most `streams_max` requests are under way on it, or as many as the upstream allows (SETTINGS_MAX_CONCURRENT_
    STREAMS); who wants a further one needs another connection. One that is idle for UPSTREAM_IDLE_S is closed; one that
    has been silent is asked for a sign of life (PING) before much is lost on it. After GOAWAY it takes nothing new.

    Each stream may be sent a window of UPSTREAM_STREAM_WINDOW_BYTES, and the connection twice as many windows as it has
    streams: so one whose client reads slowly keeps none of the others waiting, and memory has a bound.
    """

    __slots__ = (
        "_congested", "_deadlines", "_engine", "_heard_s", "_leaving", "_owner", "_paused", "_peer_streams_max",
        "_pinged", "_reserved", "_scheduled", "_streams", "_streams_max", "begun", "clock", "deadline_s", "lost_by",
        "scheme", "transport",
    )  # fmt: skip

    def __init__(
        self, owner: ConnectionOwner, clock: Clock, deadlines: Deadlines, scheme: bytes, streams_max: int
    ) -> None:
        self._owner = owner
        self.clock = clock
        self._deadlines = deadlines
        self.scheme = scheme
        self._streams_max = streams_max
        self._peer_streams_max = limits.UPSTREAM_STREAMS_ASSUMED
        self._streams: dict[int, UpstreamStream] = {}
        self._reserved = 0  # streams that somebody has, and that have not begun
        self._congested: set[UpstreamStream] = set()
        self._leaving = False  # nothing new begins on it
        self._paused = False  # the transport has enough
        self._scheduled = False
        self._pinged = False
        self._heard_s = clock.monotonic()
        self.begun = 0
        self.lost_by = "upstream_closed"  # once it is: why
        self.deadline_s = NEVER
        self.transport: asyncio.Transport | None = None
        self._engine = ngh2.Connection(ngh2.Role.CLIENT, _configuration())

    # --- called by the pool ----------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether requests may begin on it."""
        return not self._leaving and not self._closing

    @property
    def free(self) -> bool:
        """Whether there is a place for one more."""
        under_way = len(self._streams) + self._reserved
        return under_way < self._streams_max and under_way < self._peer_streams_max and self.usable

    def reserve(self) -> UpstreamStream:
        """A place on it, to be used at once or closed."""
        self._reserved += 1
        self.begun += 1
        return UpstreamStream(self, self.begun > 1)

    def retire(self) -> None:
        """Begin nothing new; close when what is under way is over."""
        self._leaving = True
        if not self._streams and not self._reserved:
            self.close()

    def close(self) -> None:
        """Say goodbye and close: nothing is under way."""
        self._leaving = True
        transport = self.transport
        if transport is not None and not transport.is_closing():
            with contextlib.suppress(NGH2Error):  # it has said so already
                self._engine.send_goaway()
            self._flush()
            transport.close()
            self.deadline_s = self.clock.monotonic() + limits.UPSTREAM_PING_TIMEOUT_S  # an upstream that reads nothing

    def abandon(self, receiver: None) -> None:
        """Whoever wanted it has left before it was made."""
        self._leaving = True
        if self.transport is not None:
            self.transport.abort()

    def break_off(self) -> None:
        """Close at once; who waits for an answer is told."""
        self._break_off("upstream_closed")

    # --- called by streams -----------------------------------------------------------------------------------

    def begin(self, stream: UpstreamStream, fields: list[Header], end_stream: bool) -> bool:
        """Send a request's head. False when the connection is not there any more, and the stream is none of it."""
        self._reserved -= 1
        if self._closing:
            return False
        try:
            stream.stream_id = self._engine.send_request(fields, end_stream=end_stream)
        except NGH2Error:  # it is shutting down, or has used up its stream identifiers
            self._leaving = True
            return False
        self._streams[stream.stream_id] = stream
        self._deadlines.watch(stream)
        self._await_life()
        self._schedule()
        return True

    def send_body(self, stream: UpstreamStream, chunks: list[bytes], complete: bool, trailers: Fields) -> None:
        """Queue more of a request's body, and with `complete` its end. Raises ValueError for what is no field."""
        engine, stream_id = self._engine, stream.stream_id
        if stream_id not in self._streams:
            return
        try:
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            if complete and not trailers:
                engine.send_data(stream_id, data, end_stream=True)
            elif data:
                engine.send_data(stream_id, data)
            if trailers:
                engine.send_trailers(stream_id, [(name, value.strip(b" \t")) for name, value in trailers])
        except NGH2Error:
            return  # the stream has ended already: its event is on its way
        if engine.queued_body_size(stream_id) > limits.WRITE_BUFFER_BYTES_HIGH:
            self._congested.add(stream)
            stream.congest(True)
        self._schedule()

    def acknowledge(self, stream: UpstreamStream) -> None:
        """The upstream may send as much more as was taken of this stream."""
        owed, stream.owed_bytes = stream.owed_bytes, 0
        if owed:
            self._acknowledge(owed, stream.stream_id)
            self._schedule()

    def _acknowledge(self, size: int, stream_id: int) -> None:
        with contextlib.suppress(NGH2Error):  # the connection is being closed: there will be no more
            self._engine.acknowledge_received_data(size, stream_id)

    def leave(self, stream: UpstreamStream, *, reset: bool) -> None:
        """A stream is over, for its own side at least; with `reset` the upstream is told, if it thinks otherwise."""
        if not stream.stream_id:
            if not stream.unprocessed:
                self._reserved -= 1
                stream.stream_id = -1
        elif self._streams.pop(stream.stream_id, None) is not None:
            self._deadlines.forget(stream)
            self._congested.discard(stream)
            self.acknowledge(stream)
            if reset:
                self._reset(stream.stream_id)
        if not self._streams and not self._reserved:
            self._rest()

    def _reset(self, stream_id: int) -> None:
        with contextlib.suppress(NGH2Error):  # it is closed already
            self._engine.reset_stream(stream_id, _CANCEL)
        self._schedule()

    def _rest(self) -> None:
        """Nothing is under way."""
        if self._leaving:
            self.close()
        elif not self._pinged:
            self.deadline_s = self.clock.monotonic() + limits.UPSTREAM_IDLE_S

    # --- called by the loop ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases
        self.transport.set_write_buffer_limits(high=limits.WRITE_BUFFER_BYTES_HIGH)
        self._engine.initiate_connection(
            {
                Setting.ENABLE_PUSH: 0,
                Setting.INITIAL_WINDOW_SIZE: limits.UPSTREAM_STREAM_WINDOW_BYTES,
                Setting.MAX_HEADER_LIST_SIZE: limits.HEADER_BYTES_MAX,
            }
        )
        windows = max(1, min(self._streams_max, limits.UPSTREAM_STREAM_WINDOWS_MAX))
        # Twice as much: the engine gives back what was taken once it is half of the connection's window, and the other
        # half must hold all that is not taken.
        self._engine.set_local_window_size(2 * windows * limits.UPSTREAM_STREAM_WINDOW_BYTES)
        self._deadlines.watch(self)
        self.deadline_s = self.clock.monotonic() + limits.UPSTREAM_IDLE_S
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._leaving = True
        self._deadlines.forget(self)
        self._fail_all("upstream_closed")
        self._owner.connection_closed(self)

    def pause_writing(self) -> None:
        self._paused = True
        for stream in list(self._streams.values()):
            self._congested.add(stream)
            stream.congest(True)

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._heard_s = self.clock.monotonic()
        try:
            self._engine.receive_data(data)
        except NGH2Error:
            self._take_events()
            self._break_off("upstream_malformed")
            return
        self._take_events()
        self._flush()
        if not self._engine.want_read and not self._engine.want_write and not self._closing:
            self._break_off("upstream_malformed")  # the engine has found a fault, and has said so

    @property
    def _closing(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def expire(self) -> None:
        """Called by the sweep: idle for too long, silent for too long, or too long about being closed."""
        now_s = self.clock.monotonic()
        if self._closing or (self._pinged and self._heard_s < self.deadline_s - limits.UPSTREAM_PING_TIMEOUT_S):
            self._break_off("upstream_closed")
        elif not self._streams and not self._reserved:
            self.close()
        else:
            self._pinged = False
            self._await_life(now_s)

    # --- signs of life ---------------------------------------------------------------------------------------

    def _await_life(self, now_s: float | None = None) -> None:
        """A request is under way. Where nothing was heard for long, ask whether there is still anybody."""
        now_s = self.clock.monotonic() if now_s is None else now_s
        if self._pinged:
            return
        if now_s - self._heard_s >= limits.UPSTREAM_QUIET_S:
            self._pinged = True
            self._engine.ping()
            self._schedule()
            self.deadline_s = now_s + limits.UPSTREAM_PING_TIMEOUT_S
        else:
            self.deadline_s = now_s + limits.UPSTREAM_PING_S

    # --- between engine and transport ------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Write soon: what several streams have to say in one turn of the loop goes out in one piece."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        transport, engine = self.transport, self._engine
        try:
            while transport is not None and not self._paused and not transport.is_closing():
                data = engine.data_to_send(_WRITE_BYTES)
                if not data:
                    break
                transport.write(data)
        except NGH2Error:
            self._break_off("upstream_malformed")
            return
        self._take_events()
        if self._congested and not self._paused:
            for stream in list(self._congested):
                if engine.queued_body_size(stream.stream_id) <= _RELIEVED_BYTES:
                    self._congested.discard(stream)
                    stream.congest(False)

    def _take_events(self) -> None:
        """What has happened since the last time; each stream is told once, of all that has come for it."""
        news: dict[UpstreamStream, None] = {}
        for event in self._engine.events():
            take = _TAKERS.get(type(event))
            if take is not None:
                take(self, event, news)
        for stream in news:
            stream.tell()

    def _head_came(self, event: ngh2.ResponseReceived, news: dict[UpstreamStream, None]) -> None:
        if (stream := self._streams.get(event.stream_id)) is not None:
            stream.head_came(event.headers, event.end_stream)
            news[stream] = None

    def _data_came(self, event: ngh2.DataReceived, news: dict[UpstreamStream, None]) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.data_came(event.data, event.end_stream)
            news[stream] = None
        elif event.data:
            self._acknowledge(len(event.data), event.stream_id)  # nobody wants it, and it took of the window of all

    def _trailers_came(self, event: ngh2.TrailersReceived, news: dict[UpstreamStream, None]) -> None:
        if (stream := self._streams.get(event.stream_id)) is not None:
            stream.trailers_came(event.headers)
            news[stream] = None

    def _stream_closed(self, event: ngh2.StreamClosed, news: dict[UpstreamStream, None]) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            if stream in news:
                del news[stream]
                stream.tell()
            stream.closed(event.error_code, event.local_error is not None)

    def _settings_came(self, event: ngh2.SettingsReceived, news: dict[UpstreamStream, None]) -> None:
        self._peer_streams_max = self._engine.remote_settings.get(Setting.MAX_CONCURRENT_STREAMS, _UNLIMITED)

    def _pinged_back(self, event: ngh2.PingAcknowledged, news: dict[UpstreamStream, None]) -> None:
        self._pinged = False
        if self._streams:
            self._await_life()
        else:
            self._rest()

    def _goaway_came(self, event: ngh2.GoAwayReceived, news: dict[UpstreamStream, None]) -> None:
        self._leaving = True  # the engine closes the streams that the upstream will not answer, as refused
        if not self._streams and not self._reserved:
            self.close()

    def _fail_all(self, code: str) -> None:
        for stream in list(self._streams.values()):
            stream.fail(code)

    def _break_off(self, code: str) -> None:
        self._leaving = True
        self.lost_by = code
        if self.transport is not None:
            self.transport.abort()
        self._fail_all(code)


_TAKERS: dict[type[Any], Callable[[UpstreamConnection, Any, dict[UpstreamStream, None]], None]] = {
    ngh2.ResponseReceived: UpstreamConnection._head_came,
    ngh2.DataReceived: UpstreamConnection._data_came,
    ngh2.TrailersReceived: UpstreamConnection._trailers_came,
    ngh2.StreamClosed: UpstreamConnection._stream_closed,
    ngh2.SettingsReceived: UpstreamConnection._settings_came,
    ngh2.PingAcknowledged: UpstreamConnection._pinged_back,
    ngh2.GoAwayReceived: UpstreamConnection._goaway_came,
}


def _configuration() -> ngh2.Configuration:
    return ngh2.Configuration(
        auto_window_update=False,
        peer_max_concurrent_streams=limits.UPSTREAM_STREAMS_ASSUMED,
        max_reserved_remote_streams=0,
        max_inbound_header_list_size=limits.HEADER_BYTES_MAX,
        max_inbound_header_count=limits.HEADER_COUNT_MAX,
    )
