"""`refused`: what it costs to say no (429, open circuit, unknown key), and an open circuit's answer under load."""

import argparse
import subprocess
import tempfile
from pathlib import Path

from bench.compare import Contest, Table, broken, facts, lines, ratio
from bench.gateway import KEY, PLAIN, UNKNOWN_KEY, route, service, start_workers
from bench.open_loop import Plan, head, send
from bench.peers import start_upstream
from bench.process import Missing, free_port, tool
from bench.report import Goal, Outcome, finish, percentile
from bench.wrk import SAME, Load
from foregate.wire import policies as wire
from foregate.wire.policies import Policies

RATIO_MAX = 0.5
OPEN_CIRCUIT_P99_MS_MAX = 10.0
_SHUT = Policies(rate_limits=(wire.RateLimit(name="shut", rate=wire.Rate(1.0, 3_600.0), burst=1),))
_BROKEN = Policies(circuit_breaker=wire.CircuitBreaker(failures=1, open_s=3_600.0), retry=wire.Retry(attempts=0))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench refused", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        try:
            outcome = _measure(Path(temporary), given.rounds, given.seconds)
        except Missing as missing:
            outcome = Outcome(skipped={"refused": str(missing)}, invalid=["nothing was measured"])
    return finish("refused", outcome)


def _measure(folder: Path, rounds: int, seconds: float) -> Outcome:
    upstream = start_upstream(folder, upstream_port := free_port())
    port, dead = free_port(), free_port()
    services = [service("bench", [upstream_port]), service("dead", [dead], policies=_BROKEN)]
    routes = [
        route("/x", policies=PLAIN),
        route("/limited", policies=_SHUT),
        route("/dead", "dead", policies=PLAIN),
    ]
    gateway = start_workers(folder, port, services, routes)
    contest = Contest(folder)
    mine = (("X-Api-Key", KEY),)
    loads = {
        "proxied": Load("/x", mine),
        "429": Load("/limited", mine),
        "open circuit": Load("/dead", mine),
        "unknown key": Load("/x", (("X-Api-Key", UNKNOWN_KEY),)),
    }
    try:
        for name, load in loads.items():
            contest.add(name, gateway.running[0], port, load)
        tables = contest.measure(SAME, rounds, seconds)
        p99_ms, answered = _open_circuit_under_load(folder, port, loads)
    finally:
        gateway.stop()
        upstream.stop()
    outcome = Outcome(facts(tables, contest.rss_mb))
    for load_name, table in tables.items():
        print(*lines(load_name, table, contest.rss_mb, "proxied", []), sep="\n")
        outcome.goals += [
            Goal(f"a refusal ({name}) against a proxied request, {load_name}", found.median, most=RATIO_MAX, unit="×")
            for name in loads
            if name != "proxied" and (found := ratio(table, name, "proxied")) is not None
        ]
        outcome.invalid += not_refused(load_name, table)
    outcome.facts["open_circuit_under_load"] = {"p99_ms": p99_ms, "answered": answered}
    what = "an open circuit's answer while the worker is saturated, p99"
    outcome.goals.append(Goal(what, p99_ms, most=OPEN_CIRCUIT_P99_MS_MAX, unit=" ms"))
    if not answered:
        outcome.invalid.append("no open circuit answered under load")
    return outcome


def not_refused(load: str, table: Table) -> list[str]:
    """To wrk a refusal is a bad answer: all of them must be, and none of the proxied ones."""
    few = [
        f"{load}: {name} let {each.requests - each.bad} requests through"
        for name, rounds in table.items()
        for each in rounds
        if name != "proxied" and each.bad < each.requests
    ]
    return few + broken({load: {"proxied": table["proxied"]}})


def _open_circuit_under_load(folder: Path, port: int, loads: dict[str, Load]) -> tuple[float, int]:
    """p99 of the answers of an open circuit, 200 a second, beside 32 connections that ask all they can."""
    argv = [tool("wrk"), "-t1", "-c32", "-d4s", "-H", f"X-Api-Key: {KEY}", f"http://127.0.0.1:{port}/x"]
    noise = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        requests = [head(loads["open circuit"].path, loads["open circuit"].headers)]
        found = send(Plan(port, 200.0, 3.0, requests, connections=8), folder)
    finally:
        noise.wait()
    took = [(each.done_s - each.due_s) * 1e3 for each in found.samples if each.status == 503]
    return percentile(took, 99), len(took)
