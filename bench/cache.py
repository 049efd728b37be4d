"""`cache`: what a hit costs beside nginx, varnish and a proxied request; hit ratio beside theory; one question for all.

A "hit" is of an open route, as nginx and varnish give it, but with a durable event; a "keyed hit" and what is "proxied"
have a key and a token bucket too. The hit ratio is that of one worker under requests for 10,000 URLs whose popularity
is Zipf(1.0), with a cache that holds only some of them. Theory: what an LRU of the same number of objects has (Che,
Tung, Wang 2002), and what no cache can beat, the most popular objects held for ever.
"""

import argparse
import asyncio
import json
import math
import random
import re
import tempfile
import urllib.request
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from bench.cache_peers import cached_policies, start_cached, start_nginx_cache, start_open, start_varnish
from bench.compare import Contest, broken, facts, lines, ratio
from bench.gateway import KEY, route, service, start_plain, start_workers
from bench.peers import start_upstream
from bench.process import Missing, free_port
from bench.report import Goal, Outcome, finish, say
from bench.upstream import start_python_upstream
from bench.wrk import SAME, Load
from foregate.wire.cache import CacheStorage

OF_NGINX, OF_PROXIED = 1.4, 0.6  # foregate's CPU per hit, at most so many times theirs
WITH_KEY = Load(headers=(("X-Api-Key", KEY),))
URLS = 10_000
MEMORY_BYTES = (1 << 20, 2 << 20, 4 << 20)
_WARM_UP = 20_000  # requests that do not count
_COUNTED = 20_000
_CONNECTIONS = 8
_PIPELINED = 12
WAITING = 1_000


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench cache", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one round of one peer")
    parser.add_argument("--costs", action="store_true", help="nothing but what a hit costs")
    given = parser.parse_args(argv)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        folder = Path(temporary)
        _costs(folder, given.rounds, given.seconds, outcome)
        if not given.costs:
            _ratios(folder, outcome)
            _coalescing(folder, outcome)
    return finish("cache", outcome)


# --- what a hit costs ------------------------------------------------------------------------------------------


def _costs(folder: Path, rounds: int, seconds: float, outcome: Outcome) -> None:
    field = Contest(folder)
    try:
        upstream = start_upstream(folder, upstream_port := free_port())
    except Missing as missing:
        outcome.skipped["costs"] = str(missing)
        outcome.invalid.append("no cost was measured")
        return
    starters = {
        "hit": start_open,
        "nginx": start_nginx_cache,
        "varnish": start_varnish,
        "keyed hit": start_cached,
        "proxied": start_plain,
    }
    try:
        for name, starter in starters.items():
            field.enter(name, starter, upstream_port, WITH_KEY)
        tables = field.measure(SAME, rounds, seconds)
    finally:
        field.stop()
        upstream.stop()
    for load, table in tables.items():
        print(*lines(load, table, field.rss_mb, "hit", ["nginx", "varnish"]), sep="\n")
        for mine, other, most in (("hit", "nginx", OF_NGINX), ("keyed hit", "proxied", OF_PROXIED)):
            if (found := ratio(table, mine, other)) is not None:
                if mine != "hit":
                    print(f"{mine} costs {found} × {other}")
                outcome.goals.append(Goal(f"CPU per {mine} against {other}, {load}", found.median, most=most, unit="×"))
    outcome.facts["costs"] = facts(tables, field.rss_mb)
    outcome.skipped |= field.skipped
    outcome.invalid += broken(tables)


# --- how many are hits -----------------------------------------------------------------------------------------


def best_ratio(held: int, urls: int) -> float:
    """The share of requests for the `held` most popular of `urls`, Zipf(1.0)."""
    return sum(1.0 / n for n in range(1, held + 1)) / sum(1.0 / n for n in range(1, urls + 1))


def lru_ratio(held: int, urls: int) -> float:
    """Che's approximation: an object is there if it was asked for within the time in which `held` others were."""
    total = sum(1.0 / n for n in range(1, urls + 1))
    shares = [1.0 / n / total for n in range(1, urls + 1)]
    low, high = 0.0, 1e9
    for _ in range(100):
        middle = (low + high) / 2.0
        if sum(1.0 - math.exp(-share * middle) for share in shares) < held:
            low = middle
        else:
            high = middle
    return sum(share * (1.0 - math.exp(-share * low)) for share in shares)


def zipf(count: int, urls: int, chance: random.Random) -> list[int]:
    """So many URLs, by their rank."""
    steps = list(accumulate(1.0 / n for n in range(1, urls + 1)))
    return [bisect_left(steps, chance.random() * steps[-1]) for _ in range(count)]


def _ratios(folder: Path, outcome: Outcome) -> None:
    print(f"\n{'memory':>10}{'objects':>9}{'hits':>8}{'LRU, theory':>13}{'best, theory':>14}")
    upstream = start_python_upstream(folder, upstream_port := free_port())
    try:
        for memory in MEMORY_BYTES:
            held, share = _ratio(folder, upstream_port, memory)
            lru, best = lru_ratio(held, URLS), best_ratio(held, URLS)
            print(f"{memory >> 20:>7} MB{held:>9,}{share:>8.3f}{lru:>13.3f}{best:>14.3f}")
            outcome.facts[f"zipf {memory >> 20} MB"] = {"objects": held, "hits": share, "lru": lru, "best": best}
            outcome.goals.append(
                Goal(f"hit ratio, Zipf(1.0), {held:,} of {URLS:,}", share, least=lru, most=best + 0.01)
            )
    finally:
        upstream.stop()


def _ratio(folder: Path, upstream: int, memory: int) -> tuple[int, float]:
    """(objects held, share of hits)."""
    port = free_port()
    routes = [route("/", policies=cached_policies())]
    storage = CacheStorage(memory_bytes_max=memory)
    gateway = start_workers(folder, port, [service("bench", [upstream])], routes, name="zipf", cache=storage)
    try:
        asked = zipf(_WARM_UP + _COUNTED, URLS, random.Random(1))
        asyncio.run(_ask(port, asked[:_WARM_UP]))
        hits = asyncio.run(_ask(port, asked[_WARM_UP:]))
        return _objects(port), hits / _COUNTED
    finally:
        gateway.stop()


async def _ask(port: int, asked: Sequence[int]) -> int:
    """Ask for these; how many were hits."""
    return sum(await asyncio.gather(*[_ask_some(port, asked[n::_CONNECTIONS]) for n in range(_CONNECTIONS)]))


async def _ask_some(port: int, asked: Sequence[int]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    hits = 0
    try:
        for at in range(0, len(asked), _PIPELINED):
            batch = asked[at : at + _PIPELINED]
            writer.write(b"".join(_request(b"/%d" % url) for url in batch))
            for _ in batch:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                hits += b"x-cache: HIT" in head
    finally:
        writer.close()
    return hits


def _request(path: bytes) -> bytes:
    return b"GET %s HTTP/1.1\r\nhost: bench\r\nx-api-key: %s\r\n\r\n" % (path, KEY.encode())


def _objects(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        text = page.read().decode()
    found = re.search(r"^foregate_cache_memory_objects(?:\{[^}]*\})? (\S+)", text, re.MULTILINE)
    if found is None:
        raise RuntimeError("the metrics do not say how much is held")
    return int(float(found[1]))


# --- one question for all --------------------------------------------------------------------------------------


def _coalescing(folder: Path, outcome: Outcome) -> None:
    asked, answered = asyncio.run(_all_at_once(folder))
    print(f"\n{WAITING:,} clients missed the same answer at once: {asked} asked, {answered:,} answered")
    outcome.facts["coalescing"] = {"clients": WAITING, "asked": asked, "answered": answered}
    outcome.goals.append(Goal(f"requests to the service for {WAITING:,} misses at once", asked, least=1, most=1))
    outcome.goals.append(Goal("answers to them", answered, least=WAITING))


async def _all_at_once(folder: Path) -> tuple[int, int]:
    """(requests that came to the service, whole answers that the clients got)."""
    count = 0
    body = json.dumps({"answer": "x" * 1_000}).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                count += 1
                await asyncio.sleep(2.0)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    upstream = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = free_port()
    services = [service("bench", [upstream.sockets[0].getsockname()[1]])]
    routes = [route("/", policies=cached_policies())]
    gateway = await asyncio.to_thread(start_workers, folder, port, services, routes, name="coalescing")
    try:

        async def one() -> bool:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_request(b"/same"))
            head = await reader.readuntil(b"\r\n\r\n")
            whole = await reader.readexactly(len(body)) == body and b" 200 " in head
            writer.close()
            return whole

        return (lambda answers: (count, sum(answers)))(await asyncio.gather(*[one() for _ in range(WAITING)]))
    finally:
        await asyncio.to_thread(gateway.stop)
        upstream.close()
        say("coalescing is done")
