"""Whom a client connection tells: who asked, and who owns the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from foregate.http1.client import ClientConnection


class ResponseReceiver(Protocol):
    """Who asked. Exactly one of `complete=True` and `response_failed` ends an exchange, unless it was abandoned."""

    def response_head(self, connection: ClientConnection, chunks: list[bytes], complete: bool) -> None:
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
