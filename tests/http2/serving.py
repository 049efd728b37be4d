"""Who serves in the tests of HTTP/2."""

import asyncio
from typing import Any

from foregate.http2.exchange import Exchange


class Receiver:
    """Takes a request and remembers all that it was told; answers when it is asked to."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        exchange.receiver = self
        self.body = b"".join(exchange.take_body())
        self.complete = exchange.told_complete
        self.aborted = ""
        self.paused: list[bool] = []

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        self.body += b"".join(chunks)
        self.complete = complete

    def request_aborted(self, code: str) -> None:
        self.aborted = code

    def response_paused(self, paused: bool) -> None:
        self.paused.append(paused)


class Application:
    def __init__(self) -> None:
        self.seen: list[Receiver] = []

    def __call__(self, exchange: Exchange) -> None:
        self.seen.append(Receiver(exchange))

    async def next(self, number: int = 1) -> Receiver:
        while len(self.seen) < number:
            await asyncio.sleep(0.001)
        return self.seen[number - 1]


def answer_ok(exchange: Exchange) -> None:
    exchange.send_whole(200, (b"HTTP/1.1 200 OK\r\n", exchange.date_line), 2, [b"ok"])
    exchange.end()


async def until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.001)
