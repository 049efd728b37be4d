"""Whom a client connection tells, who asked and who owns the connection; and what who asks may ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from foregate.http1 import trailers as trailer_fields
from foregate.http1.headers import HeaderList
from foregate.http1.trailers import Fields

if TYPE_CHECKING:
    from foregate.http1.client import ClientConnection


class UpstreamExchange(Protocol):
    """What an upstream is asked through: a connection of HTTP/1.1, or one stream of HTTP/2.

    `ClientConnection` says what each of these means; requests are written as HTTP/1.1, whatever is spoken.

    `unprocessed`: the upstream has said that nothing of the request was looked at, so any request may be sent again.
    """

    status: int
    headers: HeaderList
    notes: tuple[HeaderList, object, bytes] | None
    timeout_s: float

    @property
    def content_length(self) -> int | None: ...
    @property
    def trailers(self) -> Fields: ...
    @property
    def reused(self) -> bool: ...
    @property
    def answered(self) -> bool: ...
    @property
    def unprocessed(self) -> bool: ...
    @property
    def congested(self) -> bool: ...
    @property
    def usable(self) -> bool: ...

    def send(
        self, receiver: ResponseReceiver, data: bytes, timeout_s: float, head_only: bool, complete: bool, chunked: bool
    ) -> None: ...
    def write(self, chunks: list[bytes], complete: bool, trailers: Fields = trailer_fields.NONE) -> None: ...
    def pause_response(self, paused: bool) -> None: ...
    def abandon(self, receiver: ResponseReceiver | None) -> None: ...
    def hand_over(self, receiver: ResponseReceiver, to: ResponseReceiver) -> None: ...
    def use_once(self) -> None: ...
    def close(self) -> None: ...


class ResponseReceiver(Protocol):
    """Who asked. Exactly one of `complete=True` and `response_failed` ends an exchange, unless it was abandoned."""

    def response_head(self, connection: UpstreamExchange, chunks: list[bytes], complete: bool) -> None:
        """The head is in `connection.status`, `.headers`, `.content_length`; with what of the body came along."""
        ...

    def response_body(self, chunks: list[bytes], complete: bool) -> None: ...

    def response_failed(self, code: str) -> None:
        """`upstream_closed`, `upstream_malformed`, `upstream_timeout`, or `upstream_truncated` after the head."""
        ...

    def request_paused(self, paused: bool) -> None:
        """The upstream takes the request's body slower than it comes, or has caught up."""
        ...


class ConnectionOwner(Protocol):
    """The pool: hears when a connection may be used again and when it is gone."""

    def connection_idle(self, connection: ClientConnection) -> None:
        """Its exchange is over, though who asked has not read its end yet: begin no other one within this call."""
        ...

    def connection_closed(self, connection: ClientConnection) -> None: ...
