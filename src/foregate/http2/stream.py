"""One request and its answer on an upstream's HTTP/2 connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from foregate.http1 import trailers as trailer_fields
from foregate.http1.asking import ResponseReceiver
from foregate.http1.deadlines import NEVER
from foregate.http1.headers import HeaderList
from foregate.http1.trailers import Fields
from foregate.http2.outgoing import fields_of, unframed

if TYPE_CHECKING:
    from foregate.http2.client import UpstreamConnection

_REFUSED_STREAM = 0x07  # RFC 9113 section 8.7: nothing of the request was processed
_LENGTH_DIGITS_MAX = 18


class UpstreamStream:
    """An `http1.asking.UpstreamExchange`, to be used once.

    `reused` says that its connection had carried another request before. What comes while the answer is paused is told
    nevertheless, but the upstream may send no more than a window of it: only what was told in better times is
    acknowledged.
    """

    __slots__ = (
        "_complete", "_connection", "_head_told", "_inbox", "_reading", "_receiver", "_request_done", "_told",
        "answered", "congested", "content_length", "deadline_s", "headers", "notes", "owed_bytes", "reused", "status",
        "stream_id", "timeout_s", "trailers", "unprocessed",
    )  # fmt: skip

    def __init__(self, connection: UpstreamConnection, reused: bool) -> None:
        self._connection = connection
        self._receiver: ResponseReceiver | None = None
        self._inbox: list[bytes] = []
        self._complete = self._head_told = self._told = False
        self._reading = True
        self._request_done = False
        self.stream_id = 0  # until it has begun
        self.owed_bytes = 0  # received, and not acknowledged
        self.deadline_s, self.timeout_s = NEVER, 0.0
        self.answered = self.congested = self.unprocessed = False
        self.reused = reused
        self.status = 0
        self.headers: HeaderList = []
        self.notes: tuple[HeaderList, object, bytes] | None = None
        self.content_length: int | None = None
        self.trailers: Fields = trailer_fields.NONE

    # --- called by who asks ----------------------------------------------------------------------------------

    def send(
        self, receiver: ResponseReceiver, data: bytes, timeout_s: float, head_only: bool, complete: bool, chunked: bool
    ) -> None:
        """Begin: see `ClientConnection.send`. `head_only` needs no care here: HTTP/2 frames every answer."""
        connection = self._connection
        self._receiver = receiver
        self._request_done = complete
        self.timeout_s = timeout_s
        head, _, body = data.partition(b"\r\n\r\n")
        chunks, trailers = unframed(body) if chunked else ([body] if body else [], trailer_fields.NONE)
        if not connection.begin(self, fields_of(head, connection.scheme), complete and not chunks and not trailers):
            self.unprocessed = self.reused = True  # gone before its turn came: nobody else would say so
            asyncio.get_running_loop().call_soon(self.fail, "upstream_closed")
            return
        self._await()
        if chunks or trailers:
            connection.send_body(self, chunks, complete, trailers)

    def write(self, chunks: list[bytes], complete: bool, trailers: Fields = trailer_fields.NONE) -> None:
        """Send more of the request's body."""
        if self._request_done or self._receiver is None:
            return
        self._request_done = complete
        self._connection.send_body(self, chunks, complete, trailers)
        self._await()

    def _await(self) -> None:
        """Limit the upstream's silence. While only the client owes something, the silence is not the upstream's."""
        owed = self._reading and (self._request_done or self.congested or self.status)
        self.deadline_s = self._connection.clock.monotonic() + self.timeout_s if owed else NEVER

    def pause_response(self, paused: bool) -> None:
        """Stop or resume acknowledging the answer: back-pressure from where it goes."""
        if self._receiver is None or self._reading is not paused:
            return
        self._reading = not paused
        self._await()
        if not paused:
            self._connection.acknowledge(self)

    def abandon(self, receiver: ResponseReceiver | None) -> None:
        """`receiver` does not want the answer any more: reset the stream, tell nobody. The connection goes on."""
        if self._receiver is receiver:
            self._receiver = None
            self._connection.leave(self, reset=True)

    def hand_over(self, receiver: ResponseReceiver, to: ResponseReceiver) -> None:
        """The answer that `receiver` waits for is from now on told to another."""
        if self._receiver is receiver:
            self._receiver = to

    def close(self) -> None:
        """It is not needed after all."""
        self.abandon(None)

    def use_once(self) -> None:
        """Its connection serves no other request after it."""
        self._connection.retire()

    @property
    def usable(self) -> bool:
        """Whether the request may begin."""
        return self._receiver is None and not self.stream_id and self._connection.usable

    # --- called by the connection ----------------------------------------------------------------------------

    def head_came(self, headers: tuple[tuple[bytes, bytes], ...], complete: bool) -> None:
        """The answer's final head; nghttp2 has held its form (RFC 9113 section 8)."""
        self.answered = True
        fields = []
        for field in headers:
            name, value = field
            if name[:1] != b":":
                fields.append((name, value))
                if name == b"content-length" and value.isdigit() and len(value) <= _LENGTH_DIGITS_MAX:
                    self.content_length = int(value)
            elif name == b":status":
                self.status = int(value)
        self.headers = fields
        self._complete = complete

    def data_came(self, data: bytes, complete: bool) -> None:
        if data:
            self._inbox.append(data)
            self.owed_bytes += len(data)
        self._complete = self._complete or complete

    def trailers_came(self, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        fields = [(name, value) for name, value in headers]
        self.trailers = trailer_fields.kept_after(self.headers, fields)
        self._complete = True

    def tell(self) -> None:
        """Hand over what has come."""
        receiver = self._receiver
        if receiver is None or not self.status:
            return
        chunks, complete = self._inbox, self._complete
        self._inbox = []
        if complete:
            self._receiver = None
            self.deadline_s = NEVER
            self._connection.leave(self, reset=not self._request_done)
        elif self._reading:
            self._connection.acknowledge(self)
        if not self._head_told:
            self._head_told = True
            receiver.response_head(self, chunks, complete)
        elif chunks or complete:
            receiver.response_body(chunks, complete)
        if self._receiver is not None:
            self._await()

    def closed(self, error_code: int, ours: bool) -> None:
        """The stream is over. `ours`: by our side, which found a fault in it, or could not send it any more."""
        if self._complete:
            self.tell()
            return
        refused = (
            error_code == _REFUSED_STREAM
        )  # by the upstream, or by the engine where GOAWAY came before it was sent
        if refused and not self._head_told:
            self.unprocessed = True
            self.answered = False
        self.fail("upstream_malformed" if ours and not refused else "upstream_closed")

    def congest(self, congested: bool) -> None:
        """The upstream takes the request's body slower than it comes, or has caught up."""
        if self.congested is not congested:
            self.congested = congested
            if self._receiver is not None:
                self._await()
                self._receiver.request_paused(congested)

    def expire(self) -> None:
        """Called by the sweep when the deadline has passed."""
        self.fail("upstream_timeout")

    def fail(self, code: str) -> None:
        """There will be no answer, or no more of it."""
        receiver, self._receiver = self._receiver, None
        self.deadline_s = NEVER
        self._connection.leave(self, reset=True)
        if receiver is not None:
            late = self._head_told and code in ("upstream_closed", "upstream_malformed")
            receiver.response_failed("upstream_truncated" if late else code)
