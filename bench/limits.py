"""`limits`: how exact limits are over real HTTP: 2 and 4 workers × token bucket and sliding window × 10–5,000/s.

More is offered than allowed all the time. The first two are left out (they belong to the burst of a bucket and to the
first window); then as many must be let through as the rate says, give or take one request.
"""

import argparse
import tempfile
from pathlib import Path

from bench.gateway import KEY, route, service, start_workers
from bench.open_loop import Plan, Sample, head, send
from bench.process import free_port
from bench.report import Goal, Outcome, finish, say
from bench.upstream import start_python_upstream
from foregate.wire import policies as wire
from foregate.wire.policies import Policies

RATES = (10, 100, 1_000, 5_000)
ALGORITHMS: dict[str, str] = {"token": "token_bucket", "sliding": "sliding_window"}
WORKERS = (2, 4)
LEAST, MOST = 0.99, 1.01
_SKIP_S = 2.2
_OFFERED = 1.4  # times the rate; at least _OFFERED_MIN
_OFFERED_MIN = 60.0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench limits", description=__doc__)
    # Whole windows: a sliding one lets its hundred through in the first part of each second, and few in the rest.
    parser.add_argument("--seconds", type=float, default=3.0, help="that count, of each combination")
    given = parser.parse_args(argv)
    outcome = Outcome()
    print(f"{'':26}{'admitted':>10}{'allowed':>10}{'ratio':>8}{'offered':>10}{'failed':>8}")
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        folder = Path(temporary)
        upstream = start_python_upstream(folder, upstream_port := free_port())
        try:
            for workers in WORKERS:
                for algorithm in ALGORITHMS:
                    _of_workers(folder, upstream_port, workers, algorithm, given.seconds, outcome)
        finally:
            upstream.stop()
    return finish("limits", outcome)


def _of_workers(folder: Path, upstream: int, workers: int, algorithm: str, seconds: float, outcome: Outcome) -> None:
    """All rates on one gateway: each has its own route, and its own moment."""
    port = free_port()
    routes = [route(f"/{rate}", policies=limit(algorithm, rate)) for rate in RATES]
    gateway = start_workers(folder, port, [service("bench", [upstream])], routes, workers=workers)
    try:
        for rate in RATES:
            offered = max(_OFFERED_MIN, rate * _OFFERED)
            request = head(f"/{rate}", (("X-Api-Key", KEY),))
            found = send(Plan(port, offered, _SKIP_S + seconds, [request]), folder)
            admitted, failed = count(found.samples, _SKIP_S, _SKIP_S + seconds)
            allowed = rate * seconds
            name = f"{workers} workers, {algorithm}, {rate}/s"
            print(f"{name:26}{admitted:>10}{allowed:>10.0f}{admitted / allowed:>8.4f}{offered:>10,.0f}{failed:>8}")
            outcome.facts[name] = {"admitted": admitted, "allowed": allowed, "failed": failed}
            slack = 1.0 / allowed
            goal = Goal(f"admitted of allowed: {name}", admitted / allowed, least=LEAST - slack, most=MOST + slack)
            outcome.goals.append(goal)
            if failed:
                outcome.invalid.append(f"{name}: {failed} requests got neither 200 nor 429")
            say(goal.line())
    finally:
        gateway.stop()


def limit(algorithm: str, rate: int) -> Policies:
    """`rate` per second. A bucket's burst is small, so that the first second has used it up, and not so small that
    tokens would be lost while no request happens to come."""
    per_second = wire.Rate(float(rate), 1.0)
    if algorithm == "token":
        one = wire.RateLimit(name=f"r{rate}", algorithm="token_bucket", rate=per_second, burst=max(5.0, rate * 0.05))
    else:
        one = wire.RateLimit(name=f"r{rate}", algorithm="sliding_window", rate=per_second)
    return Policies(rate_limits=(one,))


def count(samples: list[Sample], from_s: float, to_s: float) -> tuple[int, int]:
    """How many were let through of those answered in the interval, and how many of all got neither 200 nor 429."""
    admitted = sum(each.status == 200 and from_s <= each.done_s < to_s for each in samples)
    return admitted, sum(each.status not in (200, 429) for each in samples)
