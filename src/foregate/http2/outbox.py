"""What exchanges have written, on its way into libnghttp2: handed over in one piece, kept small by pausing writers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ngh2

from foregate.kernel import limits

if TYPE_CHECKING:
    from foregate.http2.calm import Purse
    from foregate.http2.exchange import Exchange

_LOW_BYTES = limits.H2_STREAM_QUEUE_BYTES // 4  # whoever was paused goes on below it


class Outbox:
    """Of one connection. libnghttp2 keeps what the client's windows, or its reading, do not let go yet.

    Above H2_STREAM_QUEUE_BYTES of one stream its receiver is paused; while more than H2_CONNECTION_QUEUE_BYTES wait on
    all streams together, that begins at a quarter. libnghttp2 copies what it is given, so of what was written in one
    go, a stored answer perhaps, it gets no more than that; the rest stays with the exchange, which only refers to it.
    """

    __slots__ = ("_dirty", "_engine", "_full", "_purse")

    def __init__(self, engine: ngh2.Connection, purse: Purse) -> None:
        self._engine = engine
        self._purse = purse
        self._dirty: list[Exchange] = []
        self._full: set[Exchange] = set()  # their receivers are paused

    @property
    def written(self) -> bool:
        """Whether something waits to be handed over."""
        return bool(self._dirty)

    @property
    def unsettled(self) -> bool:
        """Whether somebody waits until the client has taken something."""
        return bool(self._full)

    def add(self, exchange: Exchange) -> None:
        """It has written something."""
        if not exchange.dirty:
            exchange.dirty = True
            self._dirty.append(exchange)

    def drop(self, exchange: Exchange) -> None:
        """Nothing more of it is to be handed over, whatever it writes."""
        if exchange.dirty:
            self._dirty.remove(exchange)
        exchange.dirty = True

    def forget(self, exchange: Exchange) -> None:
        """Its stream is over."""
        self._full.discard(exchange)

    def clear(self) -> None:
        self._dirty.clear()
        self._full.clear()

    def hand_over(self) -> list[Exchange]:
        """Give libnghttp2 all that was written; the exchanges that had written it."""
        dirty = self._dirty
        if dirty:
            self._dirty = []
        for exchange in dirty:
            if exchange.over:
                continue
            most = limits.H2_STREAM_QUEUE_BYTES
            if exchange.full or exchange.held > _LOW_BYTES:
                most = (most // 2 if self._crowded else most) - self._engine.queued_body_size(exchange.stream)
            try:
                exchange.hand_over(self._engine, self._purse, most)
            except ngh2.StreamProtocolError:  # its end is known to libnghttp2 and not yet told to us
                exchange.lose("client_closed")
        return dirty

    def pause_or_resume(self, written: list[Exchange]) -> None:
        """After what could be sent was sent: who of those that have written is to pause, and who may go on."""
        engine = self._engine
        high = _LOW_BYTES if self._crowded else limits.H2_STREAM_QUEUE_BYTES
        for exchange in written:
            if exchange.over or exchange.full:
                continue
            if exchange.held or (not exchange.answered and engine.queued_body_size(exchange.stream) > high):
                self._full.add(exchange)
                exchange.pause(True)
        if self._full:
            for exchange in [each for each in self._full if engine.queued_body_size(each.stream) <= _LOW_BYTES]:
                if exchange.held:
                    self.add(exchange)
                else:
                    self._full.discard(exchange)
                    exchange.pause(False)

    @property
    def _crowded(self) -> bool:
        return self._engine.queued_body_size() > limits.H2_CONNECTION_QUEUE_BYTES
