"""`policies`: the same with ten policies on, beside nginx and Go's ReverseProxy, which have none of them.

Address filter, CORS, key, three limits, a quota, header transforms both ways, bounds, bulkhead, adaptive concurrency,
breaker by failures and by error rate, retries with a budget.
"""

import argparse

from bench.gateway import start_plain, start_ten
from bench.peers import PEERS
from bench.proxy import contest

GOALS = {"nginx": 2.2}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench policies", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one round of one peer")
    given = parser.parse_args(argv)
    starters = {"foregate-ten": start_ten, "foregate": start_plain, "nginx": PEERS["nginx"], "go": PEERS["go"]}
    return contest("policies", "foregate-ten", starters, GOALS, given.rounds, given.seconds)
