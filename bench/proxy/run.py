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
from bench.proxy.load import LOADS, Round, drive
from bench.proxy.peers import EXTRA_PEERS, PEERS, Starter, extras_python, start_upstream

GOALS = {"nginx": 2.0, "go": 0.7}  # foregate's CPU per request, at most so many times that peer's
_WARM_UP_S = 1.0
Rows = dict[str, dict[str, float]]


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
            tables, skipped = _measure(starters, folder, upstream_port, given.rounds, given.seconds)
        finally:
            upstream.stop()
    return _report(tables, skipped)


def _measure(
    starters: dict[str, Starter], folder: Path, upstream: int, rounds: int, seconds: float
) -> tuple[dict[str, Rows], dict[str, str]]:
    running: dict[str, tuple[Running, int]] = {}
    results: dict[str, dict[str, list[Round]]] = {load: {} for load in LOADS}
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
                for load, rest_ms in LOADS.items():
                    results[load].setdefault(name, []).append(drive(peer, port, seconds, folder, rest_ms))
            print(f"round {number + 1} of {rounds} is done", file=sys.stderr, flush=True)
        rss = {name: peer.rss_mb() for name, (peer, _) in running.items()}
    finally:
        for peer, _ in running.values():
            peer.stop()
    tables = {load: {name: _row(each, rss[name]) for name, each in of.items()} for load, of in results.items()}
    return tables, skipped


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


def _report(tables: dict[str, Rows], skipped: dict[str, str]) -> int:
    missed: list[str] = []
    for load, rows in tables.items():
        _print_table(load, rows)
        missed += [
            f"{load}: foregate costs {ratio:.2f}x {peer}, the goal is {most}x"
            for peer, most in GOALS.items()
            if (ratio := _ratio(rows, peer)) is not None and ratio > most
        ]
    for name, reason in skipped.items():
        print(f"SKIPPED: {name}: {reason}")
    for sentence in missed:
        print(f"MISSED: {sentence}")
    facts: dict[str, Any] = {"time_s": time.time(), "tables": tables, "skipped": skipped, "missed": missed}
    (OUT / "proxy.json").write_text(json.dumps(facts, indent=2))
    invalid = any("foregate" not in rows or any(row["bad"] for row in rows.values()) for rows in tables.values())
    return 1 if missed or invalid else 0


def _ratio(rows: Rows, peer: str) -> float | None:
    """Foregate's CPU per request as a multiple of that peer's; None when one of them is not there."""
    if peer not in rows or "foregate" not in rows:
        return None
    return rows["foregate"]["cpu_us"] / rows[peer]["cpu_us"]


def _print_table(load: str, rows: Rows) -> None:
    print(f"\n{load:10}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'best':>7}{'RSS MB':>9}", end="")
    print(f"{'x nginx':>9}{'x go':>7}")
    for name, row in rows.items():
        ratios = [f"{row['cpu_us'] / rows[peer]['cpu_us']:.2f}" if peer in rows else "-" for peer in GOALS]
        print(
            f"{name:10}{row['rps']:>12,.0f}{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}{row['cpu_us']:>9.1f}"
            f"{row['cpu_us_best']:>7.1f}{row['rss_mb']:>9.1f}{ratios[0]:>9}{ratios[1]:>7}"
        )
        if row["bad"]:
            print(f"{'':10}^ {row['bad']:.0f} answers were not 2xx or broke off: this row is not valid")
