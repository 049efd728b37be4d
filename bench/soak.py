"""`soak`: streams, aborts, 100,000 distinct keys from as many addresses: does a worker's memory grow, do files leak?

Clients come from addresses of 127.0.0.0/8, so that every table that counts by address sees new ones all the time.
"""

import argparse
import asyncio
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.gateway import route, service, start_workers
from bench.open_loop import head
from bench.process import Running, free_port
from bench.report import Goal, Outcome, finish, say, slope
from bench.upstream import start_python_upstream
from foregate.kernel.secrets import new_key
from foregate.wire import policies as wire
from foregate.wire.policies import Policies

KEYS = 100_000
RSS_SLOPE_MB_PER_H_MAX = 5.0
FILES_GROWTH_MAX = 20
_STREAMS = 50
_ABORTS = 10
_PLAIN = 4
_SAMPLE_S = 5.0
_VERDICT_S = 590.0
_LIMITED = Policies(
    rate_limits=(
        wire.RateLimit(name="per-key", rate=wire.Rate(5.0, 1.0), burst=5),
        wire.RateLimit(name="per-ip", by="ip", algorithm="sliding_window", rate=wire.Rate(50.0, 1.0)),
    )
)


@dataclass
class Tally:
    """What the clients have seen."""

    requests: int = 0
    streams: int = 0
    aborts: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Point:
    """The worker at one moment."""

    at_s: float
    rss_mb: float
    files: int


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--keys", type=int, default=KEYS)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        folder = Path(temporary)
        upstream_port, port = free_port(), free_port()
        upstream = start_python_upstream(folder, upstream_port)
        try:
            secrets = [new_key("bench") for _ in range(given.keys)]
            routes = [route("/", policies=_LIMITED)]
            gateway = start_workers(folder, port, [service("bench", [upstream_port])], routes, keys=secrets)
            try:
                points, tally = uvloop.run(_work(gateway.running[0], port, secrets, given.minutes * 60.0))
            finally:
                gateway.stop()
        finally:
            upstream.stop()
    return finish("soak", _judge(points, tally))


async def _work(gateway: Running, port: int, secrets: list[str], seconds: float) -> tuple[list[Point], Tally]:
    tally, begin_s = Tally(), time.monotonic()
    until_s = begin_s + seconds
    # Every key and address at least once in the first quarter, which fills the tables up to their bounds, and again
    # in each of the others; a shorter run asks for fewer of them.
    gap_s = max(0.002, seconds * 0.25 / len(secrets))
    chance = random.Random(1)
    jobs = [_strangers(port, secrets, gap_s, until_s, chance, tally)]
    jobs += [_stream(port, secrets, until_s, random.Random(n), tally) for n in range(_STREAMS)]
    jobs += [_abort(port, secrets, until_s, random.Random(n), tally) for n in range(_ABORTS)]
    jobs += [_plain(port, secrets, until_s, random.Random(n), tally) for n in range(_PLAIN)]
    working = asyncio.gather(*jobs)
    points: list[Point] = []
    while time.monotonic() < until_s:
        points.append(Point(time.monotonic() - begin_s, gateway.rss_mb(), open_files(gateway)))
        if len(points) % 24 == 1:
            say(f"{points[-1].at_s:6.0f} s  {points[-1].rss_mb:7.1f} MB  {points[-1].files} files  {tally}")
        await asyncio.sleep(_SAMPLE_S)
    await working
    return points, tally


def open_files(running: Running) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in running.pids())


async def _ask(port: int, key: str, source: str, tally: Tally, good: tuple[int, ...]) -> None:
    """One request from `source`, on a connection of its own; anything but a `good` status has failed."""
    tally.requests += 1
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        writer.write(head("/x", (("X-Api-Key", key),)))
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20.0)
        writer.close()
    except (OSError, EOFError, TimeoutError):
        tally.failed += 1
        return
    tally.failed += int(answer[9:12]) not in good


async def _strangers(
    port: int, secrets: list[str], gap_s: float, until_s: float, chance: random.Random, tally: Tally
) -> None:
    """One key after another, from an address of its own; every twentieth is nobody's key."""
    number = 0
    while time.monotonic() < until_s:
        number += 1
        source = f"127.{1 + number // 65_536 % 200}.{number // 256 % 256}.{number % 254 + 1}"
        key = new_key("bench") if number % 20 == 0 else secrets[number % len(secrets)]
        await _ask(port, key, source, tally, (200, 401, 429))
        await asyncio.sleep(gap_s * chance.uniform(0.5, 1.5))


async def _stream(port: int, secrets: list[str], until_s: float, chance: random.Random, tally: Tally) -> None:
    """One whole stream after another."""
    while time.monotonic() < until_s:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(_address(chance), 0))
        writer.write(head("/events", (("X-Api-Key", chance.choice(secrets)),)))
        first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20.0)
        if first.startswith(b"HTTP/1.1 200"):
            await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 20.0)
            tally.streams += 1
        writer.close()
        await asyncio.sleep(chance.uniform(0.5, 1.5))


async def _abort(port: int, secrets: list[str], until_s: float, chance: random.Random, tally: Tally) -> None:
    """Leave streams in their middle, and requests before their answer."""
    while time.monotonic() < until_s:
        _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(_address(chance), 0))
        writer.write(head(chance.choice(("/stream", "/x")), (("X-Api-Key", chance.choice(secrets)),)))
        await asyncio.sleep(chance.uniform(0.0, 0.1))
        writer.transport.abort()
        tally.aborts += 1
        await asyncio.sleep(chance.uniform(0.0, 0.2))


async def _plain(port: int, secrets: list[str], until_s: float, chance: random.Random, tally: Tally) -> None:
    while time.monotonic() < until_s:
        await _ask(port, chance.choice(secrets), _address(chance), tally, (200, 429))
        await asyncio.sleep(chance.uniform(0.0, 0.05))


def _address(chance: random.Random) -> str:
    return f"127.201.{chance.randrange(256)}.{chance.randrange(1, 255)}"


def _judge(points: list[Point], tally: Tally) -> Outcome:
    """The first third is left out: tables fill up to their bounds there."""
    settled = points[len(points) // 3 :]
    growth = slope([(each.at_s / 3600.0, each.rss_mb) for each in settled])
    third = max(1, len(settled) // 3)
    files = max(each.files for each in settled[-third:]) - max(each.files for each in settled[:third])
    print(f"\n{'minute':>8}{'RSS MB':>10}{'open files':>12}")
    for each in points[:: max(1, len(points) // 15)]:
        print(f"{each.at_s / 60.0:>8.1f}{each.rss_mb:>10.1f}{each.files:>12}")
    print(f"{tally.requests:,} requests, {tally.streams:,} streams, {tally.aborts:,} aborts, {tally.failed:,} failed")
    outcome = Outcome({"points": [[p.at_s, p.rss_mb, p.files] for p in points], "slope_mb_per_h": growth})
    outcome.goals = [Goal("requests that failed", tally.failed, most=0)]
    if points[-1].at_s >= _VERDICT_S:
        outcome.goals += [
            Goal("growth of the worker's memory", growth, most=RSS_SLOPE_MB_PER_H_MAX, unit=" MB/h"),
            Goal("growth of its open files from the second third to the last", files, most=FILES_GROWTH_MAX),
        ]
    else:
        print(f"memory grew by {growth:.0f} MB/h: no verdict below {_VERDICT_S / 60.0:.0f} minutes, tables fill up")
    return outcome
