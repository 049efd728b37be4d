"""`proxy`: what one proxied request costs, with key, token bucket, breaker and event, beside four peers."""

import argparse
import tempfile
from pathlib import Path

from bench.compare import Contest, Starter, Table, broken, facts, lines, ratio
from bench.extras import CHAT_LOAD, EXTRA_PEERS, extras_python
from bench.gateway import KEY, start_plain
from bench.peers import PEERS, start_upstream
from bench.process import Missing, free_port
from bench.report import Goal, Outcome, finish
from bench.wrk import LOADS, Load

GOALS = {"nginx": 1.5, "go": 0.5}  # foregate's CPU per request, at most so many times that peer's
WITH_KEY = Load(headers=(("X-Api-Key", KEY),))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench proxy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one round of one peer")
    parser.add_argument("--extras", action="store_true", help="also FastAPI+httpx and LiteLLM, where installed")
    parser.add_argument("--install-extras", action="store_true", help="install those into bench/out/extras first")
    given = parser.parse_args(argv)
    if given.install_extras:
        extras_python(install=True)
    extras = EXTRA_PEERS if given.extras or given.install_extras else {}
    everybody = {"foregate": start_plain, **PEERS, **extras}
    return contest("proxy", "foregate", everybody, GOALS, given.rounds, given.seconds)


def contest(
    name: str, mine: str, starters: dict[str, Starter], goals: dict[str, float], rounds: int, seconds: float
) -> int:
    """Run it, print it; 0 when the goals are met."""
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        folder = Path(temporary)
        field = Contest(folder)
        try:
            upstream = start_upstream(folder, upstream_port := free_port())
        except Missing as missing:
            return finish(name, Outcome(skipped={name: str(missing)}, invalid=["nothing was measured"]))
        try:
            for peer, starter in starters.items():
                field.enter(peer, starter, upstream_port, CHAT_LOAD if peer == "litellm" else WITH_KEY)
            tables = field.measure(LOADS, rounds, seconds)
        finally:
            field.stop()
            upstream.stop()
    for load, table in tables.items():
        print(*lines(load, table, field.rss_mb, mine, [each for each in starters if each != mine]), sep="\n")
    outcome = Outcome(facts(tables, field.rss_mb), judged(tables, mine, goals), field.skipped, broken(tables))
    if mine in field.skipped:
        outcome.invalid.append(f"{mine} itself did not run")
    return finish(name, outcome)


def judged(tables: dict[str, Table], mine: str, goals: dict[str, float]) -> list[Goal]:
    """The ratios that have a goal, for each load."""
    return [
        Goal(f"{mine}'s CPU per request against {peer}, {load}", found.median, most=most, unit="×")
        for load, table in tables.items()
        for peer, most in goals.items()
        if (found := ratio(table, mine, peer)) is not None
    ]
