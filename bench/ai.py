"""`ai`: a chat completion's CPU time beside LiteLLM's, and what 200 concurrent streams wait for their first token.

The provider is a fake one of ours, the same for both. LiteLLM runs from its own environment (`--extras` makes it) and
checks a key with every request as foregate does; foregate also leaves a durable event with usage and cost.
"""

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import uvloop

from bench.compare import Contest, Ratio, broken, facts, lines, ratio
from bench.extras import CHAT_LOAD, extras_python, start_litellm
from bench.gateway import KEY, service, start_workers
from bench.process import Missing, Running, free_port, start
from bench.report import Goal, Outcome, finish, percentile
from bench.wrk import Load, Pace
from foregate.http1 import Client, Request, Response, Server
from foregate.kernel.clock import SystemClock
from foregate.wire.ai import AiRoute, Model, Price, Provider
from foregate.wire.match import Rule
from foregate.wire.snapshot import Route

RATIO_MIN = 100.0
STREAMS = 200
TOKENS = 20
GAP_S = 0.05
SPREAD_S = 1.0
ADDED_MS_MAX = 5.0
_HEADERS = (("Authorization", f"Bearer {KEY}"),)
LOAD = Load(CHAT_LOAD.path, _HEADERS, CHAT_LOAD.script)
_BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
_USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
_MESSAGE = {"index": 0, "message": {"role": "assistant", "content": "Hello, world!"}, "finish_reason": "stop"}
_WHOLE = json.dumps(
    {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [_MESSAGE], "usage": _USAGE}
).encode()
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(_WHOLE), _WHOLE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def start_foregate(folder: Path, port: int, upstream: int) -> Running:
    """One worker: key, usage and cost in a durable event."""
    models = {"m": Model(price=Price(input=1.0, output=10.0))}
    provider = Provider("openai", models, key="a key of this benchmark")
    made = service("openai", [upstream])
    services = [type(made)(made.name, made.targets, connections_max=made.connections_max, ai=provider)]
    route = Route("ai", Rule("/v1"), ai=AiRoute(services=("openai",)))
    return start_workers(folder, port, services, [route], name="foregate-ai").running[0]


class Answering(asyncio.Protocol):
    """A provider that answers the same to everybody: light, so that it holds nobody back."""

    def __init__(self) -> None:
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(data, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(data) < size:
                break
            data = data[size:]
            if self._transport is not None:
                self._transport.write(_ANSWER)
        self._rest = data


async def _serve(port: int) -> None:
    """The provider of whole answers."""
    await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
    await asyncio.Event().wait()


async def _serve_timed(port: int) -> None:
    """A provider whose tokens say when they were sent: both ends are on one machine."""
    rng = random.Random(1)

    async def tokens(first_s: float) -> AsyncIterator[bytes]:
        yield b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
        await asyncio.sleep(first_s)
        for _ in range(TOKENS):
            said = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"%.6f "}}]}\n\n'
            yield said % time.monotonic()
            await asyncio.sleep(GAP_S)
        yield b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        yield b"data: [DONE]\n\n"

    async def answer(request: Request) -> Response:
        await request.body(1_000_000)
        return Response(200, tokens(0.2 + 0.1 * rng.random()), [(b"content-type", b"text/event-stream")])

    await Server(answer, SystemClock()).start("127.0.0.1", port)
    await asyncio.Event().wait()


async def _one(client: Client, port: int, delay_s: float) -> list[float]:
    """Each token's milliseconds under way, the first one first."""
    await asyncio.sleep(delay_s)
    headers = [(b"authorization", f"Bearer {KEY}".encode()), (b"content-type", b"application/json")]
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    answer = await client.request("POST", url, headers=headers, body=_BODY)
    found: list[float] = []
    async for piece in answer.chunks():
        now_s = time.monotonic()
        for line in piece.split(b"\n\n"):
            _, marker, rest = line.partition(b'"content":"')
            if marker:
                found.append((now_s - float(rest.partition(b" ")[0])) * 1000.0)
    return found


async def _streams(ports: dict[str, int], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Per peer: the delays of first tokens and of all, over the rounds; the peers in turn."""
    delays: dict[str, dict[str, list[float]]] = {name: {"first": [], "all": []} for name in ports}
    for _ in range(rounds):
        for name, port in ports.items():
            client = Client(SystemClock())
            each = await asyncio.gather(*[_one(client, port, SPREAD_S * n / STREAMS) for n in range(STREAMS)])
            await client.close()
            delays[name]["first"] += [found[0] for found in each if found]
            delays[name]["all"] += [delay for found in each for delay in found]
    return delays


def _first_tokens(folder: Path, rounds: int) -> tuple[dict[str, dict[str, float]], float]:
    """Percentiles of the delay of first tokens, straight and through foregate; what the p99 has grown by."""
    direct, through = free_port(), free_port()
    argv = [sys.executable, "-m", "bench", "ai", "--serve-timed", str(direct)]
    upstream = start("ai-timed", argv, direct, folder)
    try:
        gateway = start_foregate(folder, through, direct)
        try:
            delays = uvloop.run(_streams({"direct": direct, "foregate": through}, rounds))
        finally:
            gateway.stop()
    finally:
        upstream.stop()
    rows = {
        name: {
            "streams": float(len(found["first"])),
            "first_p50_ms": percentile(found["first"], 50),
            "first_p99_ms": percentile(found["first"], 99),
            "token_p99_ms": percentile(found["all"], 99),
        }
        for name, found in delays.items()
    }
    return rows, rows["foregate"]["first_p99_ms"] - rows["direct"]["first_p99_ms"]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench ai", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--extras", action="store_true", help="make LiteLLM's environment where it is missing")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)  # the providers, in processes of their own
    parser.add_argument("--serve-timed", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.serve or given.serve_timed:
        uvloop.run(_serve(given.serve) if given.serve else _serve_timed(given.serve_timed))
        return 0
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as name:
        folder = Path(name)
        _cpu(folder, given, outcome)
        rows, added_ms = _first_tokens(folder, given.rounds)
    print(f"\n{STREAMS} concurrent streams of {TOKENS} tokens, one every {GAP_S * 1000:.0f} ms")
    for peer, row in rows.items():
        print(f"{peer:14}" + "  ".join(f"{what} {value:.2f}" for what, value in row.items()))
    outcome.facts |= {"streams": rows, "first_token_added_p99_ms": added_ms}
    outcome.goals.append(Goal("first token delayed, p99", added_ms, most=ADDED_MS_MAX, unit=" ms"))
    return finish("ai", outcome)


def _cpu(folder: Path, given: argparse.Namespace, outcome: Outcome) -> None:
    """CPU per chat completion, foregate and LiteLLM in turn."""
    port = free_port()
    upstream = start("ai-provider", [sys.executable, "-m", "bench", "ai", "--serve", str(port)], port, folder)
    field = Contest(folder)
    try:
        try:
            extras_python(install=given.extras)
        except Missing as reason:
            outcome.skipped["litellm"] = f"{reason} (python -m bench ai --extras makes its environment)"
        else:
            field.enter("litellm", start_litellm, port, CHAT_LOAD)
        field.enter("foregate", start_foregate, port, LOAD)
        tables = field.measure({"saturated": Pace()}, given.rounds, given.seconds)
    finally:
        field.stop()
        upstream.stop()
    for load, table in tables.items():
        print("\n".join(lines(load, table, field.rss_mb, "foregate", ["litellm"])))
    outcome.skipped |= field.skipped
    outcome.invalid += broken(tables)
    outcome.facts |= facts(tables, field.rss_mb)
    times: Ratio | None = ratio(tables["saturated"], "litellm", "foregate")
    if times is not None:
        outcome.goals.append(Goal("LiteLLM's CPU per chat completion, times foregate's", times.median, least=RATIO_MIN))
