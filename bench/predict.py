"""`python -m bench predict [--entities 1000 10000] [--trees 300 0]`: what foreseeing costs one core a minute.

CPU seconds of a process that holds nothing but the analyst, of APIs that are all asked all the time: learn a closed
minute (memory, detectors, usual levels anew every five minutes), then six ticks of features, three boosters, exact SHAP
shares of all that is judged, sentences and alerts. Up to 2,000 APIs are judged at every tick, more of them once a
minute. Behind each lie a day by the quarter of an hour and `--history` minutes; 2 % get slower while it is measured.
`--trees 0` takes the bundled model, another number one that was grown from random rows. The 16 minutes that are
measured hold the dearest one, that of the quarter of an hour. Then foregate is started and its analyzer's memory is
read. `--profile` says which functions the time went to; it costs time itself.
"""

import argparse
import json
import os
import subprocess
import sys
from typing import Any, Final

from bench.predict_role import analyzer_rss_mb
from bench.report import Goal, Outcome, finish, say

MINUTE_S_MAX: Final = 10.0  # of CPU, for 10,000 APIs with the larger model
MEMORY_MB_MAX: Final = 1_000.0
HISTORY_MIN: Final = 240
MEASURED: Final = 16
_ONE_THREAD: Final = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench predict", description=__doc__)
    parser.add_argument("--entities", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--trees", type=int, nargs="+", default=[300, 0])
    parser.add_argument("--history", type=int, default=HISTORY_MIN, help="minutes before anything is measured")
    parser.add_argument("--measured", type=int, default=MEASURED, help="minutes")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args(argv)
    outcome = Outcome()
    runs: list[dict[str, Any]] = []
    for entities in given.entities:
        for trees in given.trees:
            runs.append(measured(entities, trees, given))
            tell(runs[-1])
            outcome.goals += goals(runs[-1])
    roles = {entities: analyzer_rss_mb(entities) for entities in (0, max(given.entities))}
    for entities, rss_mb in roles.items():
        sys.stdout.write(f"an analyzer with {entities:,} APIs behind it: {rss_mb:.0f} MB\n")
    outcome.facts = {"runs": runs, "analyzer_rss_mb": {str(count): rss_mb for count, rss_mb in roles.items()}}
    return finish("predict", outcome)


def measured(entities: int, trees: int, given: argparse.Namespace) -> dict[str, Any]:
    """The figures of one process; see `bench.predict_run`."""
    say(f"{entities:,} APIs, {trees or 'bundled'} trees: a day and {given.history} minutes are made first")
    argv = [sys.executable, "-m", "bench.predict_run", "--entities", str(entities), "--trees", str(trees)]
    argv += ["--history", str(given.history), "--days", "1", "--measured", str(given.measured)]
    argv += ["--profile"] * given.profile
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, env={**os.environ, **_ONE_THREAD})
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def tell(run: dict[str, Any]) -> None:
    lines = [
        f"{run['entities']:,} APIs, trees by horizon {run['trees']}",
        f"  a minute           {run['minute_s']:.2f} s of CPU, the dearest {run['worst_minute_s']:.2f} s",
        f"  learn it           {run['learn_s']:.2f} s, the dearest {run['learn_worst_s']:.2f} s",
        f"  judge, six ticks   {run['judge_s']:.2f} s",
        f"  judged             {run['scored_a_minute']:,.0f} scores, {run['explained_a_minute']:,.0f} with reasons",
        *(f"    {name:<24} {spent * 1e3:6.0f} ms" for name, spent in run["parts"].items()),
        f"  memory             {run['memory_mb']:.0f} MB for the APIs, {run['peak_mb']:.0f} MB at its peak in all",
        f"  bundled model      {run['bundled_load_s'] * 1e3:.1f} ms to load {run['bundled_bytes'] / 1e3:.0f} KB",
        f"  tables of shares   {run['shares_s']:.2f} s, once per model",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def goals(run: dict[str, Any]) -> list[Goal]:
    if run["entities"] > 10_000:
        return []
    of = f"{run['entities']:,} APIs, {max(run['trees'])} trees"
    return [
        Goal(f"{of}: CPU of the dearest minute", run["worst_minute_s"], MINUTE_S_MAX, unit=" s"),
        Goal(f"{of}: memory at its peak", run["peak_mb"], MEMORY_MB_MAX, unit=" MB"),
        Goal(f"{of}: explained of those scored", run["explained_a_minute"] / max(run["scored_a_minute"], 1), least=1.0),
    ]
