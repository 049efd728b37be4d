"""`scale`: 10,000 routes and 100,000 keys against 10 and 10: cost of a request, memory of a worker, time to start."""

import argparse
import tempfile
import time
from pathlib import Path

from bench.compare import Contest, broken, facts, lines, ratio
from bench.gateway import PLAIN, Workers, route, service, start_workers
from bench.peers import start_upstream
from bench.process import Missing, free_port
from bench.report import Goal, Outcome, finish
from bench.wrk import SAME, Load
from foregate.kernel.secrets import new_key

COST_MAX = 1.10
RSS_MB_MAX = 120.0
SMALL, LARGE = (10, 10), (10_000, 100_000)
_SAMPLE = 1_000  # of its routes and keys are really asked for, in turn
_LUA = """\
local paths, keys, n = {{ {paths} }}, {{ {keys} }}, 0
function request()
  n = n + 1
  return wrk.format("GET", paths[n % #paths + 1], {{ ["X-Api-Key"] = keys[(n * 7) % #keys + 1] }})
end
"""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench scale", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        try:
            outcome = _measure(Path(temporary), given.rounds, given.seconds)
        except Missing as missing:
            outcome = Outcome(skipped={"scale": str(missing)}, invalid=["nothing was measured"])
    return finish("scale", outcome)


def _measure(folder: Path, rounds: int, seconds: float) -> Outcome:
    upstream = start_upstream(folder, upstream_port := free_port())
    contest = Contest(folder)
    gateways: list[Workers] = []
    started_s: dict[str, float] = {}
    try:
        for name, (routes, keys) in {"small": SMALL, "large": LARGE}.items():
            paths, secrets = [path_of(number) for number in range(routes)], [new_key("bench") for _ in range(keys)]
            table = [route(path, policies=PLAIN) for path in paths]
            services = [service("bench", [upstream_port])]
            begin_s, port = time.monotonic(), free_port()
            gateway = start_workers(folder, port, services, table, name=name, keys=secrets)
            started_s[name] = time.monotonic() - begin_s
            gateways.append(gateway)
            contest.add(name, gateway.running[0], port, Load(script=script(sample(paths), sample(secrets))))
        tables = contest.measure(SAME, rounds, seconds)
    finally:
        for gateway in gateways:
            gateway.stop()
        upstream.stop()
    outcome = Outcome({**facts(tables, contest.rss_mb), "started_s": started_s}, invalid=broken(tables))
    for load, table_of in tables.items():
        print(*lines(load, table_of, contest.rss_mb, "large", ["small"]), sep="\n")
        if (found := ratio(table_of, "large", "small")) is not None:
            outcome.goals.append(Goal(f"large against small, {load}", found.median, most=COST_MAX, unit="×"))
    print(
        f"snapshot written and worker serving after {started_s['small']:.2f} s small, {started_s['large']:.2f} s large"
    )
    outcome.goals.append(Goal("memory of the large worker", contest.rss_mb["large"], most=RSS_MB_MAX, unit=" MB"))
    return outcome


def path_of(number: int) -> str:
    """Two or three segments, as the paths of an API have."""
    return f"/v{number % 3}/area{number // 100}/thing{number}" if number % 10 else f"/v0/area{number // 100}x{number}"


def sample(values: list[str]) -> list[str]:
    """At most _SAMPLE of them, evenly spread."""
    return values[:: max(1, len(values) // _SAMPLE)][:_SAMPLE]


def script(paths: list[str], keys: list[str]) -> str:
    return _LUA.format(paths=", ".join(f'"{each}"' for each in paths), keys=", ".join(f'"{each}"' for each in keys))
