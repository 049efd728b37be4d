"""`websocket`: messages/s, MB/s and CPU time per message and per MB through foregate and through nginx, in turn.

An upstream echoes. `ping-pong`: each client waits for its echo, so each read is one message; `batches`: it keeps many
under way; `large`: messages of 1 MiB. One worker each; echo server and clients are processes of their own.
"""

import argparse
import asyncio
import base64
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, cast

import uvloop

from bench.gateway import KEY, route, service, start_workers
from bench.peers import nginx_websocket
from bench.process import Running, free_port, start
from bench.report import Goal, Outcome, finish
from foregate.websocket import accept_of
from foregate.wire.policies import Policies
from foregate.wire.websocket import WebSocket

_MASK = b"\x37\xfa\x21\x3d"
_KEY = base64.b64encode(bytes(16))
_MB = 1e6
MESSAGE_RATIO_MAX = 3.0  # CPU beside nginx, which does not look at frames: per message that comes alone, …
BATCHED_RATIO_MAX = 10.0  # … per message of 64 bytes among hundreds in one read, …
MB_RATIO_MAX = 1.5  # … and per MB of large ones


class Load(NamedTuple):
    """Each of `clients` keeps `window` messages of `size` bytes under way."""

    name: str
    clients: int
    window: int
    size: int


LOADS = (Load("ping-pong", 64, 1, 64), Load("batches", 16, 256, 64), Load("large", 4, 2, 1 << 20))


def _frame(size: int, *, mask: bool) -> bytes:
    head = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 65_536 else b""
    head = b"\x82" + (head or b"\x7f" + size.to_bytes(8, "big"))
    if not mask:
        return head + bytes(size)
    payload = (_MASK * (size // 4 + 1))[:size]  # of zeros
    return head[:1] + bytes((head[1] | 0x80,)) + head[2:] + _MASK + payload


class Echo(asyncio.Protocol):
    """Answers the handshake, then each message that has come whole with one of the same size. It knows the sizes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._head = b""
        self._frame_bytes = self._got = 0
        self._answer = b""

    def data_received(self, data: bytes) -> None:
        if not self._frame_bytes:
            self._head += data
            if b"\r\n\r\n" not in self._head:
                return
            self._begin(self._head)
            return
        self._got += len(data)
        whole, self._got = divmod(self._got, self._frame_bytes)
        if whole:
            self._transport.write(self._answer * whole if whole > 1 else self._answer)

    def _begin(self, head: bytes) -> None:
        size = int(head.split(b" ", 2)[1].rpartition(b"/")[2])
        self._frame_bytes, self._answer = len(_frame(size, mask=True)), _frame(size, mask=False)
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-accept: %s\r\n\r\n" % accept_of(key.partition(b":")[2].strip())
        )


class Speaker(asyncio.Protocol):
    """A client that keeps its window full, and counts what comes back."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._frame = _frame(load.size, mask=True)
        self._back_bytes = len(_frame(load.size, mask=False))
        self._open = False
        self._got = 0
        self.messages = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(
            b"GET /%d HTTP/1.1\r\nhost: bench\r\nx-api-key: %s\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: %s\r\n\r\n" % (self._load.size, KEY.encode(), _KEY)
        )

    def data_received(self, data: bytes) -> None:
        if not self._open:
            assert data.startswith(b"HTTP/1.1 101 "), data[:200]
            self._open = True
            self._transport.write(self._frame * self._load.window)
            return
        self._got += len(data)
        whole, self._got = divmod(self._got, self._back_bytes)
        if whole:
            self.messages += whole
            self._transport.write(self._frame * whole)

    def close(self) -> None:
        self._transport.abort()


async def _serve(port: int) -> None:
    await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    await asyncio.Event().wait()


async def _speak(port: int, proxy: Running, load: Load, seconds: float) -> tuple[float, float]:
    """Messages per second that came back, and the proxy's CPU time for each in microseconds."""
    loop = asyncio.get_running_loop()
    speakers = [
        (await loop.create_connection(lambda: Speaker(load), "127.0.0.1", port))[1] for _ in range(load.clients)
    ]
    await asyncio.sleep(0.2)
    before, begun_s, cpu_s = sum(each.messages for each in speakers), time.monotonic(), proxy.cpu_s()
    await asyncio.sleep(seconds)
    messages, took_s = sum(each.messages for each in speakers) - before, time.monotonic() - begun_s
    cpu_us = (proxy.cpu_s() - cpu_s) * 1e6 / max(1, messages)
    for each in speakers:
        each.close()
    return messages / took_s, cpu_us


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench websocket", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)  # the upstream, in a process of its own
    given = parser.parse_args(argv)
    if given.serve:
        uvloop.run(_serve(given.serve))
        return 0
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as name:
        return _compare(Path(name), given.rounds, given.seconds)


def _compare(folder: Path, rounds: int, seconds: float) -> int:
    echo, through, beside = free_port(), free_port(), free_port()
    upstream = start("echo", [sys.executable, "-m", "bench", "websocket", "--serve", str(echo)], echo, folder)
    peers = {}
    try:
        routes = [route("/", policies=Policies(websocket=WebSocket()))]
        peers["foregate"] = (through, start_workers(folder, through, [service("bench", [echo])], routes).running[0])
        peers["nginx"] = (beside, nginx_websocket(folder, beside, echo))
        figures: dict[str, dict[str, list[tuple[float, float]]]] = {
            load.name: {peer: [] for peer in peers} for load in LOADS
        }
        for _ in range(rounds):
            for load in LOADS:
                for peer, (port, running) in peers.items():
                    figures[load.name][peer].append(uvloop.run(_speak(port, running, load, seconds)))
    finally:
        for _, running in peers.values():
            running.stop()
        upstream.stop()
    return finish("websocket", _report(figures))


def _report(figures: dict[str, dict[str, list[tuple[float, float]]]]) -> Outcome:
    facts: dict[str, dict[str, dict[str, float]]] = {}
    print(f"\n{'':12}{'':10}{'messages/s':>12}{'MB/s':>10}{'CPU µs/message':>16}{'CPU ms/MB':>12}")
    for load in LOADS:
        mb = 2 * load.size / _MB  # there and back
        facts[load.name] = {}
        for peer, rounds in figures[load.name].items():
            rate, cpu_us = (statistics.median(values) for values in zip(*rounds, strict=True))
            row = {"messages_per_s": rate, "mb_per_s": rate * mb, "cpu_us": cpu_us, "cpu_ms_per_mb": cpu_us / 1e3 / mb}
            facts[load.name][peer] = row
            print(
                f"{load.name:12}{peer:10}{rate:>12,.0f}{row['mb_per_s']:>10,.1f}{cpu_us:>16.2f}"
                f"{row['cpu_ms_per_mb']:>12.3f}"
            )

    def ratio(load: str, of: str) -> float:
        return facts[load]["foregate"][of] / facts[load]["nginx"][of]

    goals = [
        Goal("CPU per message, one per read, ×nginx", ratio("ping-pong", "cpu_us"), most=MESSAGE_RATIO_MAX, unit="×"),
        Goal("CPU per message, many per read, ×nginx", ratio("batches", "cpu_us"), most=BATCHED_RATIO_MAX, unit="×"),
        Goal("CPU per MB, messages of 1 MiB, ×nginx", ratio("large", "cpu_us"), most=MB_RATIO_MAX, unit="×"),
    ]
    return Outcome(facts, goals)
