"""A long answer of our own, made in pieces while requests are served."""

import asyncio
from collections.abc import Iterator

from foregate.gateway.exchange import ClientExchange
from foregate.gateway.heads import status_line
from foregate.kernel.tasks import spawn


class Streamed:
    """Answers `exchange` with `pieces`, one per turn of the loop; stops when the client leaves or does not read."""

    def __init__(self, exchange: ClientExchange, content_type: bytes, pieces: Iterator[bytes]) -> None:
        self._exchange = exchange
        self._writable = asyncio.Event()
        self._writable.set()
        exchange.receiver = self
        date = exchange.date_line
        head = b"%s%scontent-type: %s\r\ncache-control: no-store\r\n" % (status_line(200), date, content_type)
        exchange.send_head(200, head, None)
        self._task = spawn(self._send(pieces), name="streamed answer")

    async def _send(self, pieces: Iterator[bytes]) -> None:
        exchange = self._exchange
        try:
            for piece in pieces:
                exchange.write(piece)
                exchange.flush()
                await asyncio.sleep(0)
                await self._writable.wait()
        except Exception:
            exchange.abort()  # its client must not wait for the rest
            raise
        exchange.end()
        exchange.flush()

    # --- exchange.RequestReceiver ----------------------------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        """Nobody wants one."""

    def request_aborted(self, code: str) -> None:
        self._task.cancel()

    def response_paused(self, paused: bool) -> None:
        if paused:
            self._writable.clear()
        else:
            self._writable.set()
