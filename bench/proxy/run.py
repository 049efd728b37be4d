"""`python -m bench proxy`: all peers in interleaved rounds, so that the machine's noise is shared; table and JSON."""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.process import OUT, Missing, Running, free_port
from bench.proxy.load import Round, drive
from bench.proxy.peers import EXTRA_PEERS, PEERS, Starter, extras_python, start_upstream

GOALS = {"nginx": 2.0, "go": 0.7}  # foregate's CPU per request, at most so many times that peer's
_WARM_UP_S = 1.0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench proxy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one round of one peer")
    parser.add_argument("--extras", action="store_true", help="also FastAPI+httpx and LiteLLM, where installed")
    parser.add_argument("--install-extras", action="store_true", help="install those into bench/out/extras first")
    given = parser.parse_args(argv)
    OUT.mkdir(exist_ok=True)
    if given.install_extras:
        extras_python(install=True)
    starters = {**PEERS, **(EXTRA_PEERS if given.extras or given.install_extras else {})}
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as name:
        folder = Path(name)
        try:
            upstream = start_upstream(folder, upstream_port := free_port())
        except Missing as missing:
            print(f"SKIPPED: the whole proxy benchmark, because {missing}", file=sys.stderr)
            return 2
        try:
            rows, skipped = _measure(starters, folder, upstream_port, given.rounds, given.seconds)
        finally:
            upstream.stop()
    return _report(rows, skipped)


def _measure(
    starters: dict[str, Starter], folder: Path, upstream: int, rounds: int, seconds: float
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    running: dict[str, tuple[Running, int]] = {}
    results: dict[str, list[Round]] = {}
    skipped: dict[str, str] = {}
    try:
        for name, starter in starters.items():
            port = free_port()
            try:
                running[name] = (starter(folder, port, upstream), port)
            except (Missing, RuntimeError) as reason:
                skipped[name] = str(reason)
                continue
            drive(*running[name], _WARM_UP_S, folder)
        for number in range(rounds):
            for name, (peer, port) in running.items():
                results.setdefault(name, []).append(drive(peer, port, seconds, folder))
                print(f"round {number + 1}/{rounds} {name}", end="   \r", file=sys.stderr, flush=True)
        rss = {name: peer.rss_mb() for name, (peer, _) in running.items()}
    finally:
        for peer, _ in running.values():
            peer.stop()
    return {name: _row(each, rss[name]) for name, each in results.items()}, skipped


def _row(rounds: list[Round], rss_mb: float) -> dict[str, float]:
    """CPU over all rounds together; latency and throughput of the median round."""
    requests = sum(each.requests for each in rounds)
    return {
        "requests": requests,
        "bad": sum(each.bad for each in rounds),
        "rps": statistics.median(each.requests / each.seconds for each in rounds),
        "p50_ms": statistics.median(each.p50_ms for each in rounds),
        "p99_ms": statistics.median(each.p99_ms for each in rounds),
        "cpu_us": 1e6 * sum(each.cpu_s for each in rounds) / max(1, requests),
        "cpu_us_best": min(1e6 * each.cpu_s / max(1, each.requests) for each in rounds),
        "rss_mb": rss_mb,
    }


def _report(rows: dict[str, dict[str, float]], skipped: dict[str, str]) -> int:
    print(f"{'':10}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'best':>7}{'RSS MB':>9}", end="")
    print(f"{'x nginx':>9}{'x go':>7}")
    for name, row in rows.items():
        ratios = [f"{row['cpu_us'] / rows[peer]['cpu_us']:.2f}" if peer in rows else "-" for peer in GOALS]
        print(
            f"{name:10}{row['rps']:>12,.0f}{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}{row['cpu_us']:>9.1f}"
            f"{row['cpu_us_best']:>7.1f}{row['rss_mb']:>9.1f}{ratios[0]:>9}{ratios[1]:>7}"
        )
        if row["bad"]:
            print(f"{'':10}^ {row['bad']:.0f} answers were not 2xx or broke off: this row is not valid")
    for name, reason in skipped.items():
        print(f"SKIPPED: {name}: {reason}")
    missed = [
        f"foregate costs {rows['foregate']['cpu_us'] / rows[peer]['cpu_us']:.2f}x {peer}, the goal is {most}x"
        for peer, most in GOALS.items()
        if peer in rows and "foregate" in rows and rows["foregate"]["cpu_us"] > most * rows[peer]["cpu_us"]
    ]
    for sentence in missed:
        print(f"MISSED: {sentence}")
    facts: dict[str, Any] = {"time_s": time.time(), "rows": rows, "skipped": skipped, "missed": missed}
    (OUT / "proxy.json").write_text(json.dumps(facts, indent=2))
    invalid = "foregate" not in rows or any(row["bad"] for row in rows.values())
    return 1 if missed or invalid else 0
