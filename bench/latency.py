"""`latency`: what a proxy adds at a fixed rate, open loop, free of coordinated omission; then with idle streams open.

The generator and the upstream are on the same two cores as the proxy, for every contestant alike; each is measured
against the same generator going straight to the upstream, in the same round.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.gateway import KEY, start_plain
from bench.open_loop import Found, Plan, head, send
from bench.peers import PEERS
from bench.process import Missing, Running, free_port
from bench.report import Goal, Outcome, finish, median, percentile, say
from bench.upstream import start_python_upstream

P50_ADDED_MS_MAX = 0.3
P99_ADDED_MS_MAX = 1.5
MINE = "foregate"
DIRECT = "direct"
_HEADERS = (("X-Api-Key", KEY),)
Figures = dict[str, float]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench latency", description=__doc__)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one round of one peer: p99 of less is luck")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=1_000, help="idle streams in the second part")
    given = parser.parse_args(argv)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        folder = Path(temporary)
        running: dict[str, tuple[Running, int]] = {}
        try:
            upstream = free_port()
            running[DIRECT] = (start_python_upstream(folder, upstream), upstream)
            for name, starter in {MINE: start_plain, **PEERS}.items():
                port = free_port()
                try:
                    running[name] = (starter(folder, port, upstream), port)
                except (Missing, RuntimeError) as reason:
                    outcome.skipped[name] = str(reason)
            for streams in (0, given.streams):
                plan = Plan(0, given.rate, given.seconds, [head("/x", _HEADERS)], stream=head("/stream", _HEADERS))
                rows = _measure(running, plan, streams, given.rounds, lambda each: send(each, folder), outcome)
                title = f"{given.rate:,.0f} requests/s" + (f", {streams:,} idle streams" if streams else "")
                print(*table(title, rows), sep="\n")
                outcome.facts[title] = rows
                outcome.goals += goals(title, rows)
        finally:
            for peer, _ in running.values():
                peer.stop()
    return finish("latency", outcome)


def _measure(
    running: dict[str, tuple[Running, int]],
    plan: Plan,
    streams: int,
    rounds: int,
    go: Callable[[Plan], Found],
    outcome: Outcome,
) -> dict[str, Figures]:
    found: dict[str, list[Figures]] = {}
    for number in range(rounds):
        row: dict[str, Figures] = {}
        for name, (_, port) in running.items():
            one = Plan(
                port, plan.rate, plan.seconds, plan.requests, seed=number, stream=plan.stream, idle_streams=streams
            )
            try:
                result = go(one)
            except RuntimeError as reason:
                outcome.skipped[f"{name} with {streams} streams"] = str(reason)
                continue
            row[name] = figures(result)
            if result.broken or result.streams != streams:
                outcome.invalid.append(f"{name}: {result.broken} connections broke, {result.streams} streams stayed")
        for name, each in added(row).items():
            found.setdefault(name, []).append(each)
        say(f"latency with {streams} streams: round {number + 1} of {rounds} is done")
    return {name: {key: median([one[key] for one in each]) for key in each[0]} for name, each in found.items()}


def figures(found: Found) -> Figures:
    """Milliseconds from when a request was due, and how late the generator sent those that had a connection."""
    good = [each for each in found.samples if each.status == 200]
    took = [(each.done_s - each.due_s) * 1e3 for each in good]
    late = [(each.sent_s - each.due_s) * 1e3 for each in good]
    return {
        "p50_ms": percentile(took, 50),
        "p99_ms": percentile(took, 99),
        "p999_ms": percentile(took, 99.9),
        "late_p50_ms": percentile(late, 50),
        "late_p99_ms": percentile(late, 99),
        "bad": float(len(found.samples) - len(good)),
        "requests": float(len(found.samples)),
    }


def added(rows: dict[str, Figures]) -> dict[str, Figures]:
    """The rows of one round with what each adds to going straight to the upstream, in that round."""
    straight = rows.get(DIRECT)
    if straight is None:
        return rows
    return {
        name: {**row, **{f"added_{p}": row[p] - straight[p] for p in ("p50_ms", "p99_ms")}}
        for name, row in rows.items()
    }


def table(title: str, rows: dict[str, Any]) -> list[str]:
    out = ["", f"{title}, 64 connections, from when each request was due (median of the rounds)"]
    out.append(
        f"{'':12}{'p50 ms':>9}{'p99 ms':>9}{'p99.9':>9}{'+p50':>9}{'+p99':>9}{'late p50':>10}{'late p99':>10}{'bad':>6}"
    )
    for name, row in rows.items():
        out.append(
            f"{name:12}{row['p50_ms']:>9.3f}{row['p99_ms']:>9.3f}{row['p999_ms']:>9.3f}"
            f"{row.get('added_p50_ms', 0.0):>9.3f}{row.get('added_p99_ms', 0.0):>9.3f}"
            f"{row['late_p50_ms']:>10.3f}{row['late_p99_ms']:>10.3f}{row['bad']:>6.0f}"
        )
    return out


def goals(title: str, rows: dict[str, Figures]) -> list[Goal]:
    row = rows.get(MINE)
    if row is None or "added_p50_ms" not in row:
        return []
    return [
        Goal(f"added p50 at {title}", row["added_p50_ms"], most=P50_ADDED_MS_MAX, unit=" ms"),
        Goal(f"added p99 at {title}", row["added_p99_ms"], most=P99_ADDED_MS_MAX, unit=" ms"),
        Goal(f"requests that failed at {title}", row["bad"], most=0),
    ]
