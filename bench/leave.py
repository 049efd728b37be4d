"""`leave`: how long it takes until the upstream sees that a client has left in the middle of a stream."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import cast

import uvloop

from bench.gateway import KEY, route, service, start_workers
from bench.open_loop import head
from bench.process import free_port
from bench.report import Goal, Outcome, finish, median

MOST_MS = 100.0
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
_CHUNK = b"4\r\nmore\r\n"
_GAP_S = 0.02


class _Upstream(asyncio.Protocol):
    """Streams, busily or silently, until its client is gone; then it says when that was."""

    def __init__(self, gone: asyncio.Queue[float]) -> None:
        self._gone = gone
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(_HEAD)
            if b"/busy" in data:
                self._more()

    def _more(self) -> None:
        if self._transport is not None:
            self._transport.write(_CHUNK)
            asyncio.get_running_loop().call_later(_GAP_S, self._more)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._gone.put_nowait(time.monotonic())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench leave", description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        took_ms = uvloop.run(_measure(Path(temporary), given.times))
    print()
    outcome = Outcome({"took_ms": took_ms})
    for kind, each in took_ms.items():
        print(f"{kind} stream: the upstream sees the client leave after p50 {median(each):.2f} ms, max {max(each):.2f}")
        outcome.goals.append(
            Goal(f"the upstream sees it at the latest, {kind} stream", max(each), most=MOST_MS, unit=" ms")
        )
    return finish("leave", outcome)


async def _measure(folder: Path, times: int) -> dict[str, list[float]]:
    gone: asyncio.Queue[float] = asyncio.Queue()
    upstream_port, port = free_port(), free_port()
    await asyncio.get_running_loop().create_server(lambda: _Upstream(gone), "127.0.0.1", upstream_port)
    services, routes = [service("bench", [upstream_port])], [route("/")]
    gateway = await asyncio.to_thread(start_workers, folder, port, services, routes)
    try:
        return {kind: [await _leave(port, kind, gone) for _ in range(times)] for kind in ("busy", "silent")}
    finally:
        gateway.stop()


async def _leave(port: int, kind: str, gone: asyncio.Queue[float]) -> float:
    """One client: ask, see the first piece, leave. Milliseconds until the upstream knows."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head(f"/{kind}", (("X-Api-Key", KEY),)))
    await asyncio.wait_for(reader.readuntil(b"first"), 10.0)
    await asyncio.sleep(_GAP_S * 1.5)
    left_s = time.monotonic()
    writer.close()
    return (await asyncio.wait_for(gone.get(), 10.0) - left_s) * 1e3
