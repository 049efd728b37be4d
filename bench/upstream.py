"""`python -m bench.upstream PORT [--delay-ms D] [--name N]`: an upstream on raw protocols, light and without policy.

Any path answers 200 with BODY after the delay, and says its name in `x-target`; `/stream` is an event stream that sends
one event and is then silent but for a comment every 10 s; `/events` sends 20 events 50 ms apart and ends.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import cast

import uvloop

from bench.peers import BODY
from bench.process import Running, start

_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = b"data: 0123456789\n\n"
_CHUNK = b"%x\r\n%s\r\n" % (len(_EVENT), _EVENT)
_COMMENT = b"3\r\n:\n\n\r\n"
_EVENTS = 20
_GAP_S = 0.05
_SILENCE_S = 10.0


class Answering(asyncio.Protocol):
    """One connection; requests have no bodies and come one after another."""

    def __init__(self, answer: bytes, delay_s: float) -> None:
        self._answer = answer
        self._delay_s = delay_s
        self._rest = b""
        self._left = 0  # events still to be sent; negative: for ever
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            self._request(data[: end + 4])
            data = data[end + 4 :]
        self._rest = data

    def _request(self, head: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        path = head.split(b" ", 2)[1]
        if path.startswith((b"/stream", b"/events")):
            self._left = -1 if path.startswith(b"/stream") else _EVENTS - 1
            transport.write(_STREAM + _CHUNK)
            self._later(_SILENCE_S if self._left < 0 else _GAP_S)
        elif self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._send)
        else:
            transport.write(self._answer)

    def _send(self) -> None:
        if self._transport is not None:
            self._transport.write(self._answer)

    def _event(self) -> None:
        if self._transport is None:
            return
        if self._left < 0:
            self._transport.write(_COMMENT)
            self._later(_SILENCE_S)
            return
        self._left -= 1
        self._transport.write(_CHUNK if self._left else _CHUNK + b"0\r\n\r\n")
        if self._left:
            self._later(_GAP_S)

    def _later(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._event)


def answer_of(name: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-target: %s\r\ncontent-length: %d\r\n\r\n%s" % (
        name.encode(),
        len(BODY),
        BODY,
    )


async def serve(port: int, name: str, delay_s: float) -> None:
    answer = answer_of(name)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Answering(answer, delay_s), "127.0.0.1", port, backlog=4096)
    await asyncio.Event().wait()


def start_python_upstream(folder: Path, port: int, *, name: str = "one", delay_ms: float = 0.0) -> Running:
    argv = [sys.executable, "-m", "bench.upstream", str(port), "--name", name, "--delay-ms", str(delay_ms)]
    return start(f"upstream-{name}", argv, port, folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.upstream", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--name", default="one")
    parser.add_argument("--delay-ms", type=float, default=0.0)
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.name, given.delay_ms / 1000.0))


if __name__ == "__main__":
    main()
