"""An open-loop load generator in a process of its own: requests begin when they are due, whatever became of the others.

Latency is counted from the moment a request was *due*, not from when it was sent: a server that stalls is charged for
every request that had to wait for it (no coordinated omission). The schedule is Poisson with a fixed seed. A timerfd
wakes the loop, because the loop's own timers count in milliseconds; how late the generator itself was is reported too.
A request that finds all connections taken waits for one, and that wait counts.
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import random
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import uvloop

_TIMER_ABSOLUTE = 1
_CLOCK_MONOTONIC = 1
_NONBLOCKING = 0o4000
_SETTLE_S = 0.3
_TAIL_S = 2.0  # how long the last answers are waited for


class Plan(msgspec.Struct, frozen=True):
    """What to send: `requests` are whole request heads, taken in turn. `idle_streams`: opened first and held open."""

    port: int
    rate: float
    seconds: float
    requests: list[bytes]
    connections: int = 64
    seed: int = 1
    stream: bytes = b""
    idle_streams: int = 0


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One request; times in seconds since the plan began. `status` 0: no answer."""

    due_s: float
    sent_s: float
    done_s: float
    status: int
    target: str = ""  # the answer's x-target
    request: int = 0  # which of the plan's requests


class Found(msgspec.Struct, frozen=True):
    """What came of a plan."""

    samples: list[Sample]
    broken: int  # connections that the server closed
    streams: int  # idle streams still open at the end


class _Due(msgspec.Struct):
    due_s: float
    request: int
    sent_s: float = 0.0


class _Timer:
    """An absolute timer as a file descriptor: microseconds instead of the loop's milliseconds."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = int(self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCKING))

    def at(self, monotonic_s: float) -> None:
        nanoseconds = max(1, int(monotonic_s * 1e9))
        value = (ctypes.c_long * 4)(0, 0, nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000)
        self._libc.timerfd_settime(self.fd, _TIMER_ABSOLUTE, value, None)


class _Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._data = b""
        self.current: _Due | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._run.lost(self)

    def send(self, due: _Due, now_s: float) -> None:
        due.sent_s = now_s
        self.current = due
        if self.transport is not None:
            self.transport.write(self._run.plan.requests[due.request])

    def data_received(self, data: bytes) -> None:
        self._data = data = self._data + data if self._data else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = data[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(data) >= end + 4 + length:
            self._data = data[end + 4 + length :]
            self._run.answered(self, int(head[9:12]), head)


class _Idle(asyncio.Protocol):
    """A stream that is opened and then only kept."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.begun = asyncio.get_running_loop().create_future()
        self.open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.begun.done():
            self.begun.set_result(data.startswith(b"HTTP/1.1 200"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if not self.begun.done():
            self.begun.set_result(False)


class _Run:
    """One plan on its way."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.samples: list[Sample] = []
        self.broken = 0
        self._schedule = deque(schedule(plan.rate, plan.seconds, plan.seed, len(plan.requests)))
        self._total = len(self._schedule)
        self._waiting: deque[_Due] = deque()
        self._idle: list[_Connection] = []
        self._timer = _Timer()
        self._start_s = 0.0
        self._over = asyncio.Event()
        self._reconnecting: list[asyncio.Future[None]] = []

    async def connect(self) -> _Connection:
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(self), "127.0.0.1", self.plan.port
        )
        self._idle.append(protocol)
        return protocol

    async def run(self) -> Found:
        loop = asyncio.get_running_loop()
        streams = await self._open_streams()
        for _ in range(self.plan.connections):
            await self.connect()
        await asyncio.sleep(_SETTLE_S)  # opening a thousand streams is work of its own, and not what is asked here
        gc.collect()
        gc.freeze()
        gc.disable()
        loop.add_reader(self._timer.fd, self._tick)
        self._start_s = time.monotonic() + 0.05
        self._timer.at(self._start_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), self.plan.seconds + _TAIL_S)
        unanswered = [*self._waiting, *self._schedule]
        self.samples += [Sample(due.due_s, due.sent_s, 0.0, 0, "", due.request) for due in unanswered]
        return Found(self.samples, self.broken, sum(each.open for each in streams))

    async def _open_streams(self) -> list[_Idle]:
        loop = asyncio.get_running_loop()
        streams: list[_Idle] = []
        for _ in range(self.plan.idle_streams):
            _, protocol = await loop.create_connection(lambda: _Idle(self.plan.stream), "127.0.0.1", self.plan.port)
            streams.append(protocol)
            if len(streams) % 50 == 0:
                await asyncio.gather(*[each.begun for each in streams])
        begun = await asyncio.gather(*[each.begun for each in streams])
        if not all(begun):
            raise SystemExit(f"only {sum(begun)} of {len(begun)} idle streams began")
        return streams

    def _tick(self) -> None:
        now_s = time.monotonic() - self._start_s
        schedule = self._schedule
        while schedule and schedule[0].due_s <= now_s:
            due = schedule.popleft()
            if self._idle:
                self._idle.pop().send(due, now_s)
            else:
                self._waiting.append(due)
        if schedule:
            self._timer.at(self._start_s + schedule[0].due_s)
        else:
            asyncio.get_running_loop().remove_reader(self._timer.fd)

    def answered(self, connection: _Connection, status: int, head: bytes) -> None:
        due, connection.current = connection.current, None
        if due is None:
            return
        now_s = time.monotonic() - self._start_s
        at = head.find(b"x-target: ")
        target = head[at + 10 :].split(b"\r\n", 1)[0].decode() if at >= 0 else ""
        self._took(Sample(due.due_s, due.sent_s, now_s, status, target, due.request))
        if self._waiting:
            connection.send(self._waiting.popleft(), now_s)
        else:
            self._idle.append(connection)

    def lost(self, connection: _Connection) -> None:
        if self._over.is_set():
            return
        self.broken += 1
        if connection in self._idle:
            self._idle.remove(connection)
        if connection.current is not None:
            due = connection.current
            self._took(Sample(due.due_s, due.sent_s, 0.0, 0, "", due.request))
        self._again()

    def _again(self) -> None:
        """A new connection instead of one that broke, as soon as there is somebody to take it."""
        self._reconnecting.append(asyncio.ensure_future(self._reconnect()))

    async def _reconnect(self) -> None:
        while not self._over.is_set():
            try:
                connection = await self.connect()
            except OSError:
                await asyncio.sleep(0.01)
                continue
            if self._waiting:
                self._idle.remove(connection)
                connection.send(self._waiting.popleft(), time.monotonic() - self._start_s)
            return

    def _took(self, sample: Sample) -> None:
        self.samples.append(sample)
        if len(self.samples) == self._total:
            self._over.set()


def schedule(rate: float, seconds: float, seed: int, kinds: int) -> list[_Due]:
    """Poisson arrivals: exponential gaps of 1/rate on average."""
    chance = random.Random(seed)
    out: list[_Due] = []
    at_s = 0.0
    while (at_s := at_s + chance.expovariate(rate)) < seconds:
        out.append(_Due(at_s, len(out) % kinds))
    return out


def head(path: str, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """A GET request, whole."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"GET {path} HTTP/1.1\r\nHost: bench.example\r\n{lines}\r\n".encode()


def send(plan: Plan, folder: Path) -> Found:
    """Run a plan in a process of its own. Raises RuntimeError when that failed."""
    asked, told = folder / "plan.bin", folder / "found.bin"
    asked.write_bytes(msgspec.msgpack.encode(plan))
    done = subprocess.run([sys.executable, "-m", "bench.open_loop", str(asked), str(told)], capture_output=True)
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.msgpack.decode(told.read_bytes(), type=Found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.open_loop", description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("found", type=Path)
    given = parser.parse_args()
    plan = msgspec.msgpack.decode(given.plan.read_bytes(), type=Plan)

    async def work() -> Found:
        return await _Run(plan).run()

    given.found.write_bytes(msgspec.msgpack.encode(uvloop.run(work())))


if __name__ == "__main__":
    main()
