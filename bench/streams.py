"""`streams`: 50 concurrent event streams, straight and through the gateway, in turn: what it adds to the first byte."""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop

from bench.gateway import KEY, start_plain
from bench.process import free_port, start
from bench.report import Goal, Outcome, finish
from foregate.http1 import Client, Request, Response, Server
from foregate.kernel.clock import SystemClock

STREAMS = 50
TOKENS = 20
GAP_S = 0.05
ADDED_MS_MAX = 5.0
SPREAD_S = 0.5


async def _tokens() -> AsyncIterator[bytes]:
    for number in range(TOKENS):
        # The sender's clock travels in the token: both ends are on one machine.
        yield b"data: %d %.6f\n\n" % (number, time.monotonic())
        await asyncio.sleep(GAP_S)


async def _serve(port: int) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, _tokens(), [(b"content-type", b"text/event-stream")])

    server = Server(answer, SystemClock())
    await server.start("127.0.0.1", port)
    await asyncio.Event().wait()


async def _one(client: Client, url: str, delay_s: float) -> tuple[float, list[float], int]:
    """After `delay_s`: ms to the first byte, each token's ms under way, and in how many pieces the stream came."""
    await asyncio.sleep(delay_s)
    asked_s = time.monotonic()
    answer = await client.request("GET", url, headers=[(b"x-api-key", KEY.encode())])
    first_ms, delays, pieces = 0.0, [], 0
    async for piece in answer.chunks():
        now_s = time.monotonic()
        first_ms = first_ms or (now_s - asked_s) * 1000.0
        pieces += 1
        delays += [(now_s - float(line.split()[2])) * 1000.0 for line in piece.split(b"\n\n") if line]
    return first_ms, delays, pieces


async def _round(url: str, spread_s: float) -> tuple[list[float], list[float], int]:
    client = Client(SystemClock())
    found = await asyncio.gather(*[_one(client, url, spread_s * each / STREAMS) for each in range(STREAMS)])
    await client.close()
    return [first for first, _, _ in found], [one for _, many, _ in found for one in many], min(n for _, _, n in found)


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "p50_ms": statistics.median(values),
        "p99_ms": statistics.quantiles(values, n=100)[98],
        "max_ms": max(values),
    }


async def _measure(direct: int, through: int, rounds: int, spread_s: float) -> dict[str, dict[str, dict[str, float]]]:
    rows: dict[str, dict[str, dict[str, float]]] = {}
    firsts: dict[str, list[float]] = {"direct": [], "foregate": []}
    tokens: dict[str, list[float]] = {"direct": [], "foregate": []}
    pieces: dict[str, int] = {"direct": TOKENS, "foregate": TOKENS}
    for _ in range(rounds):
        for name, port in (("direct", direct), ("foregate", through)):
            first, under_way, least = await _round(f"http://127.0.0.1:{port}/", spread_s)
            firsts[name] += first
            tokens[name] += under_way
            pieces[name] = min(pieces[name], least)
    for name in firsts:
        rows[name] = {"first_byte": _summary(firsts[name]), "token": _summary(tokens[name])}
        rows[name]["pieces"] = {"least": float(pieces[name])}
    return rows


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench streams", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)  # the upstream, in a process of its own
    given = parser.parse_args(argv)
    if given.serve:
        uvloop.run(_serve(given.serve))
        return 0
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as name:
        folder = Path(name)
        direct, through = free_port(), free_port()
        upstream = start(
            "stream-upstream", [sys.executable, "-m", "bench", "streams", "--serve", str(direct)], direct, folder
        )
        try:
            gateway = start_plain(folder, through, direct)
            try:
                spread = uvloop.run(_measure(direct, through, given.rounds, SPREAD_S))
                burst = uvloop.run(_measure(direct, through, given.rounds, 0.0))
            finally:
                gateway.stop()
        finally:
            upstream.stop()
    print(f"\n{STREAMS} concurrent streams of {TOKENS} tokens, one every {GAP_S * 1000:.0f} ms")
    added = _report(spread, f"begun within {SPREAD_S:g} s")
    added_burst = _report(burst, "all begun in the same instant")
    facts = {"spread": spread, "burst": burst, "added_ms": added, "added_burst_ms": added_burst}
    goal = Goal("first byte of 50 streams delayed, p50", added["p50_ms"], most=ADDED_MS_MAX, unit=" ms")
    return finish("streams", Outcome(facts, [goal]))


def _report(rows: dict[str, dict[str, dict[str, float]]], how: str) -> dict[str, float]:
    """Print one table; returns what the gateway added to the first byte."""
    print(f"{how}:")
    print(f"{'':10}{'first byte p50':>16}{'p99':>8}{'max':>8}{'token p50':>12}{'p99':>8}{'max':>8}{'least pieces':>14}")
    for name, row in rows.items():
        first, token = row["first_byte"], row["token"]
        print(
            f"{name:10}{first['p50_ms']:>16.2f}{first['p99_ms']:>8.2f}{first['max_ms']:>8.2f}{token['p50_ms']:>12.2f}"
            f"{token['p99_ms']:>8.2f}{token['max_ms']:>8.2f}{row['pieces']['least']:>14.0f}"
        )
    direct, through = rows["direct"]["first_byte"], rows["foregate"]["first_byte"]
    added = {name: through[name] - direct[name] for name in ("p50_ms", "p99_ms")}
    print(
        f"first byte delayed by {added['p50_ms']:.2f} ms at the median, {added['p99_ms']:.2f} ms at p99 "
        f"(goal: < {ADDED_MS_MAX:g} ms)"
    )
    return added
