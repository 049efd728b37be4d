"""The client side of one connection: send a request, parse the answer, stream both ways, time out.

As on the server side (`intake`), the last head is remembered as bytes: an answer that comes whole, with exactly this
head and as many bytes of body as it says, needs no parser.
"""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

from foregate.http1 import trailers as trailer_fields
from foregate.http1.asking import ConnectionOwner, ResponseReceiver
from foregate.http1.deadlines import NEVER, Deadlines
from foregate.http1.headers import HeaderList, answer_framing, oversize
from foregate.http1.repeated import UNKNOWN, KnownAnswer, remembered
from foregate.http1.trailers import Fields, frame
from foregate.kernel import limits
from foregate.kernel.clock import Clock

__all__ = ["ClientConnection", "ConnectionOwner", "ResponseReceiver", "frame"]

_REPEATS_TRIED = 8  # so many different heads in a row, and a connection's are not remembered any more
_CHUNK_OVERHEAD_MAX = 16  # bytes of chunk framing taken per byte of body, beyond twice HEADER_BYTES_MAX


class _Stop(Exception):
    """Ends the parser's run from within a callback."""


class ClientConnection(asyncio.Protocol):
    """One connection to an upstream; one exchange at a time.

    `reused` says that the connection had served an exchange before this one, `answered` that bytes of an answer have
    come: together they tell a dead keep-alive connection from a failing upstream. `headers` may be those of an earlier
    answer with the same fields, so nobody changes them; `notes` is for who asks, to keep what was made of them.
    `overrun`: together with the whole answer came more than it said: whatever it was, it is not to be trusted.
    `trailers` are the fields after a chunked answer, without those that may not be forwarded, from `complete=True`
    until the next exchange begins.
    """

    unprocessed = False  # HTTP/1.1 cannot say so

    __slots__ = (
        "_body_bytes", "_body_until_eof", "_clock", "_complete", "_deadlines", "_fed", "_head_bytes",
        "_head_complete", "_head_only", "_head_told", "_inbox", "_interim", "_keep_alive", "_known", "_late",
        "_owner", "_parsed", "_parser", "_reading", "_receiver", "_request_chunked", "_request_done", "_spoiled",
        "_tries_left", "_upgrades", "answered", "congested", "content_length", "deadline_s", "headers", "notes",
        "overrun", "reused", "status", "timeout_s", "trailers", "transport",
    )  # fmt: skip

    def __init__(self, owner: ConnectionOwner, clock: Clock, deadlines: Deadlines) -> None:
        self._owner = owner
        self._clock = clock
        self._deadlines = deadlines
        self._parser = httptools.HttpResponseParser(self)
        self._receiver: ResponseReceiver | None = None
        self._inbox: list[bytes] = []
        self._head_only = self._keep_alive = False
        self._known = UNKNOWN
        self._tries_left = _REPEATS_TRIED
        self._late: HeaderList = []  # trailers, as they come
        self._forget()
        self._reading = True
        self._spoiled = False  # not to be used for another exchange
        self._upgrades = False
        self._request_done, self._request_chunked = True, False
        self.transport: asyncio.Transport | None = None
        self.deadline_s, self.timeout_s = NEVER, 0.0
        self.reused = self.congested = self.answered = False
        self.status = 0
        self.headers: HeaderList = []
        self.notes: tuple[HeaderList, object, bytes] | None = None
        self.content_length: int | None = None

    # --- called by who asks ----------------------------------------------------------------------------------

    def send(
        self, receiver: ResponseReceiver, data: bytes, timeout_s: float, head_only: bool, complete: bool, chunked: bool
    ) -> None:
        """Begin an exchange. `data` is the head, or head and whole body when `complete`.

        `timeout_s` bounds the wait for the response head and every later silence, but not the wait for more of the
        request: who asks bounds that. `head_only`: the answer to HEAD.
        """
        if self._parsed:
            self._forget()
        self.answered = False
        self._receiver = receiver
        self._head_only = head_only
        self._request_done = complete
        self._request_chunked = chunked
        self.timeout_s = timeout_s
        self.deadline_s = self._clock.monotonic() + timeout_s if complete else NEVER
        transport = self.transport
        if transport is None:  # gone before its turn came: nobody else would say so
            asyncio.get_running_loop().call_soon(self._fail, "upstream_closed")
        elif not transport.is_closing():
            transport.write(data)  # else connection_lost() is on its way and will tell the receiver

    def _forget(self) -> None:
        """What was parsed: the next answer begins anew."""
        self._parsed = False  # the parser has seen something of this exchange's answer, or of the one before
        self._head_complete = self._head_told = self._complete = self._interim = self._body_until_eof = False
        self._head_bytes = self._fed = self._body_bytes = 0
        self.overrun = False
        self.trailers: Fields = trailer_fields.NONE

    def write(self, chunks: list[bytes], complete: bool, trailers: Fields = trailer_fields.NONE) -> None:
        """Send more of the request's body. `trailers` go out with the end of a chunked one."""
        if self.transport is None or self._request_done or self.transport.is_closing():
            return
        data = frame(chunks, complete, trailers) if self._request_chunked else b"".join(chunks)
        self._request_done = complete
        self._await()
        if data:
            self.transport.write(data)

    def _await(self) -> None:
        """Limit the upstream's silence. While only the client owes something, the silence is not the upstream's."""
        owed = self._reading and (self._request_done or self.congested or self._head_complete)
        self.deadline_s = self._clock.monotonic() + self.timeout_s if owed else NEVER

    def pause_response(self, paused: bool) -> None:
        """Stop or resume reading the answer: back-pressure from where it goes. A pause of ours is not its silence."""
        if self.transport is None or self._reading is not paused:
            return
        self._reading = not paused
        self._await()
        if paused:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def abandon(self, receiver: ResponseReceiver | None) -> None:
        """`receiver` (None: nobody yet) does not want the answer any more: close, tell nobody but the owner.

        Where its exchange is over, nothing happens: the connection may serve another one by now.
        """
        if self._receiver is receiver:
            self._receiver = None
            self._spoiled = True
            if self.transport is not None:
                self.transport.abort()

    def hand_over(self, receiver: ResponseReceiver, to: ResponseReceiver) -> None:
        """The answer that `receiver` waits for is from now on told to another."""
        if self._receiver is receiver:
            self._receiver = to

    def break_off(self) -> None:
        """Close at once; who waits for an answer is told `upstream_closed`, or `upstream_truncated` after its head."""
        self._fail("upstream_truncated" if self._head_told else "upstream_closed")

    def close(self) -> None:
        """Close an idle connection."""
        self._spoiled = True
        if self.transport is not None:
            self.transport.close()

    def use_once(self) -> None:
        """The exchange that is next is the last one, whatever the upstream says: the owner never has it idle."""
        self._spoiled = True

    def upgrade_once(self) -> None:
        """`use_once`, to change protocols: 101 is told as a head, with what came after it; see `tunnel`."""
        self._spoiled = self._upgrades = True

    @property
    def usable(self) -> bool:
        """Whether a new exchange may begin on it."""
        transport = self.transport
        return self._receiver is None and not self._spoiled and transport is not None and not transport.is_closing()

    # --- called by the loop ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases
        self.transport.set_write_buffer_limits(high=limits.WRITE_BUFFER_BYTES_HIGH)
        self._deadlines.watch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._deadlines.forget(self)
        if self._receiver is not None:
            self._ended(clean=exc is None)
        del self._parser  # it knows us: a cycle that only the collector would free
        self._owner.connection_closed(self)

    def eof_received(self) -> bool:
        self._spoiled = True
        if self._receiver is not None:
            self._ended(clean=True)
        return False

    def pause_writing(self) -> None:
        self.congested = True
        if self._receiver is not None:
            self._await()
            self._receiver.request_paused(True)

    def resume_writing(self) -> None:
        self.congested = False
        if self._receiver is not None:
            self._await()
            self._receiver.request_paused(False)

    def expire(self) -> None:
        """Called by the sweep when the deadline has passed."""
        if self._receiver is not None:
            self._fail("upstream_timeout")
        else:
            self.deadline_s = NEVER
            self.close()

    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:  # an upstream that speaks unasked cannot be trusted with the next exchange
            self.close()
            return
        if not self.answered:
            self.answered = True
            known = self._known
            if len(data) == known.size and data.startswith(known.head) and not self._head_only:
                self._repeat(receiver, known, data)
                return
            self._parsed = True
            self.headers = []  # not those of the answer before, which others may have kept
            self.content_length = None
        if not self._head_complete:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.status == 101 and isinstance(error, httptools.HttpParserUpgrade):
                self._head_told = True
                receiver.response_head(self, [data[error.args[0] :]], False)
                return
            if not self._survives(error):
                return
        if self._complete:
            if self._tries_left:
                self._remember(data)
            self._tell(receiver)
        else:
            self._go_on(receiver, len(data))

    # --- the answer ------------------------------------------------------------------------------------------

    def _go_on(self, receiver: ResponseReceiver, size: int) -> None:
        """More is to come: hand over what has, within the bounds."""
        if self._head_complete:
            if self._overgrown(size):
                self._fail("upstream_malformed")
                return
            self._tell(receiver)
        elif self._head_bytes > limits.HEADER_BYTES_MAX or oversize(self.headers):
            self._fail("upstream_malformed")  # llhttp would collect one endless header for ever
        if self._receiver is not None and self._reading:
            self._await()

    def _remember(self, data: bytes) -> None:
        """Keep the head of an answer that came whole, in one piece, and after which the connection stays open."""
        if self._keep_alive and self._head_bytes == len(data) and not self._spoiled and not self._head_only:
            answer = remembered(data, self.status, self.headers, self.content_length)
            if answer is not None:
                self._tries_left -= 1
                self._known = answer

    def _repeat(self, receiver: ResponseReceiver, known: KnownAnswer, data: bytes) -> None:
        """An answer with the known head: the parser has seen nothing of it, and waits for the next one."""
        self._tries_left = _REPEATS_TRIED
        head, _, length, self.status, self.headers = known
        self.content_length = length
        self._receiver = None
        if self._spoiled or not self._request_done:
            self.close()
        else:
            self._rest()
        receiver.response_head(self, [data[len(head) :]] if length else [], True)

    def _survives(self, error: Exception) -> bool:
        """Whether the answer was complete before the parser stopped; else it has failed."""
        if isinstance(error, httptools.HttpParserCallbackError) and not isinstance(error.__context__, _Stop):
            raise error  # a mistake of ours
        self._spoiled = True
        self.overrun = self._complete
        if not self._complete:
            self._fail("upstream_malformed")
        return self._complete

    def _overgrown(self, size: int) -> bool:
        """Whether chunk extensions, tiny chunks or trailers outgrow the body that they frame."""
        self._fed += size
        self._body_bytes += sum(map(len, self._inbox))
        return self._fed > limits.HEADER_BYTES_MAX * 2 + self._body_bytes * _CHUNK_OVERHEAD_MAX

    def _tell(self, receiver: ResponseReceiver) -> None:
        """Hand over what has come."""
        chunks, complete = self._inbox, self._complete
        self._inbox = []
        if complete:
            self._release()
        if not self._head_told:
            self._head_told = True
            receiver.response_head(self, chunks, complete)
        elif chunks or complete:
            receiver.response_body(chunks, complete)

    def _release(self) -> None:
        """The exchange is over: back to the pool, or close."""
        self._receiver = None
        if self._spoiled or not self._request_done or not self._keep_alive or self._body_until_eof:
            self.close()
            return
        if self._head_only:
            self._parser = httptools.HttpResponseParser(self)  # it still waits for the body that HEAD does not have
        self._rest()

    def _rest(self) -> None:
        """Until the next exchange."""
        self.reused = True
        self.deadline_s = self._clock.monotonic() + limits.UPSTREAM_IDLE_S
        if not self._reading:
            self._reading = True
            if self.transport is not None:
                self.transport.resume_reading()
        self._owner.connection_idle(self)

    def _ended(self, *, clean: bool) -> None:
        """The upstream has closed while an answer was awaited."""
        if clean and self._head_complete and self._body_until_eof and self._receiver is not None:
            self._complete = True
            self._tell(self._receiver)
        else:
            self._fail("upstream_truncated" if self._head_told else "upstream_closed")

    def _fail(self, code: str) -> None:
        receiver, self._receiver = self._receiver, None
        self._spoiled = True
        if self.transport is not None:
            self.transport.abort()
        if receiver is not None:
            malformed_late = self._head_told and code == "upstream_malformed"
            receiver.response_failed("upstream_truncated" if malformed_late else code)

    # --- called by httptools ---------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            self._spoiled = True  # a second answer to one request
            raise _Stop

    def on_header(self, name: bytes, value: bytes) -> None:
        (self._late if self._head_complete else self.headers).append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if (self._head_bytes > limits.HEADER_BYTES_MAX or len(self.headers) > 64) and oversize(self.headers):
            raise _Stop
        if not 100 <= status <= 599:
            raise _Stop
        if status < 200 and not (status == 101 and self._upgrades and self._parser.should_upgrade()):
            self._interim = True
            return
        self.status = status
        if status == 101:
            return  # nothing follows that the parser would understand
        try:
            self.content_length, chunked = answer_framing(self.headers)
        except ValueError:
            raise _Stop from None
        self._head_complete = True
        self._keep_alive = self._parser.should_keep_alive()  # llhttp knows it only until the message's end
        if self._head_only or status in (204, 304):
            self._complete = True
        elif not chunked and self.content_length is None:
            self._body_until_eof = True

    def on_body(self, body: bytes) -> None:
        if self._head_only:
            raise _Stop
        self._inbox.append(body)

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
            self.headers = []
        elif self.status != 101:
            if self._late:
                self._take_trailers()
            self._complete = True

    def _take_trailers(self) -> None:
        fields, self._late = self._late, []
        if oversize(fields):
            raise _Stop
        self.trailers = trailer_fields.kept_after(self.headers, fields)
