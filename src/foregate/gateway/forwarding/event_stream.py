"""Keeping a stream of server-sent events alive: a comment goes out where the upstream has been silent.

A comment line means nothing to whoever reads the events (WHATWG HTML section 9.2.6), but proxies and clients that cut
off silent connections see that this one lives.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from foregate.http1.headers import HeaderList

if TYPE_CHECKING:
    from foregate.gateway.exchange import ClientExchange

COMMENT = b": keep-alive\n\n"
_LONGEST_END = 4  # bytes of CR LF CR LF


def is_event_stream(headers: HeaderList) -> bool:
    """Whether this is the head of events as plain text: into an encoded body, or one of a given length, nothing can be
    put."""
    events = False
    for name, value in headers:
        if name == b"content-type":
            events = value.partition(b";")[0].strip().lower() == b"text/event-stream"
        elif name == b"content-length" or (name == b"content-encoding" and value.strip().lower() != b"identity"):
            return False
    return events


def ends_event(tail: bytes) -> bool:
    """Whether a stream that ends with these bytes is between two events: after a blank line, or at its very start."""
    return not tail or tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\r"))


class Heartbeat:
    """Writes a comment after every `heartbeat_s` of silence between two events, never within one.

    A client that does not read gets none: its connection is full already.
    """

    __slots__ = ("_exchange", "_heartbeat_s", "_last_s", "_loop", "_tail", "_timer")

    def __init__(self, exchange: ClientExchange, heartbeat_s: float) -> None:
        self._exchange = exchange
        self._heartbeat_s = heartbeat_s
        self._tail = b""
        self._loop = asyncio.get_running_loop()
        self._last_s = self._loop.time()
        self._timer = self._loop.call_later(heartbeat_s, self._beat)

    def passed(self, chunks: list[bytes]) -> None:
        """These are about to go out."""
        tail = self._tail
        for chunk in chunks:
            tail = chunk[-_LONGEST_END:] if len(chunk) >= _LONGEST_END else (tail + chunk)[-_LONGEST_END:]
        self._tail = tail
        self._last_s = self._loop.time()

    def stop(self) -> None:
        self._timer.cancel()

    def _beat(self) -> None:
        exchange = self._exchange
        if exchange.answered:
            return
        now_s = self._loop.time()
        left_s = self._last_s + self._heartbeat_s - now_s  # one timer that is set again, not one for every event
        if left_s <= 0.0:
            left_s, self._last_s = self._heartbeat_s, now_s
            if ends_event(self._tail) and not exchange.paused:
                exchange.write(COMMENT)
                exchange.flush()
        self._timer = self._loop.call_later(left_s, self._beat)
