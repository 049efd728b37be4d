"""`live-lab`: which gradual faults are foreseen end to end, through the gateway with sockets, and what is alarmed for
nothing in worlds without a fault.

Many worlds of the lab run side by side in real time behind one foregate (one gateway worker, courier, analyzer,
keeper, console), each with services and traffic of its own. Faults begin after some calm; nobody mends them. What
happened is read from the windows, what was said from the alerts, both over foregate's API.

A batch that is over is kept in bench/out/live-lab/: the same command goes on where it was interrupted, and plays those
batches again whose machine did not keep up; after a change of the code it begins anew. Other settings of foregate come
from the environment, as FOREGATE__A__B.
"""

import argparse
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

import foregate
from bench.live_lab_judge import Result
from bench.live_lab_plan import Choice, Planned, batches, gradual_kinds, plan
from bench.live_lab_run import SETTLE_S, Batch, Settings, run_batch
from bench.live_lab_table import facts, table
from bench.process import OUT
from bench.report import Outcome, finish, say
from foregate.predict import bundled_path

FOLDER = OUT / "live-lab"
SIDE_BY_SIDE = 70  # at 15 requests/s each: 58 % of two cores


def main(argv: list[str]) -> int:
    given = _parser().parse_args(argv)
    unknown = set(given.kinds) - set(gradual_kinds())
    if unknown:
        print(f"{', '.join(sorted(unknown))}: no gradual kind of fault; there are {', '.join(gradual_kinds())}")
        return 2
    choice = Choice(
        kinds=tuple(given.kinds),
        seeds=given.seeds,
        calm=given.calm,
        first=given.first,
        rate=given.rate,
        quiet_s=given.quiet * 60.0,
        calm_s=given.calm_minutes * 60.0,
        run_s_max=given.minutes * 60.0,
    )
    settings = Settings(given.threshold, given.model)
    parts = batches(plan(choice), given.worlds)
    folder = FOLDER / _name(choice, settings, given.worlds)
    folder.mkdir(parents=True, exist_ok=True)
    minutes = [(part[-1].scenario.duration_s + SETTLE_S) / 60 for part in parts]
    runs = sum(map(len, parts))
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that what was started is stopped
    say(f"{runs} runs in {len(parts)} batches: {sum(minutes):.0f} min ({', '.join(f'{m:.0f}' for m in minutes)})")
    say(f"kept in {folder}")
    done = [_batch(number, part, settings, folder) for number, part in enumerate(parts)]
    return _report(choice, done)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench live-lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(gradual_kinds()), metavar="A,B")
    parser.add_argument("--seeds", type=int, default=20, help="runs of each kind")
    parser.add_argument("--calm", type=int, default=20, help="runs of the same worlds without their fault")
    parser.add_argument("--first", type=int, default=1_000, help="the first seed")
    parser.add_argument("--worlds", type=int, default=SIDE_BY_SIDE, help="side by side")
    parser.add_argument("--rate", type=float, default=15.0, help="requests/s of a world, about")
    parser.add_argument("--quiet", type=float, default=5.0, help="minutes before the first fault")
    parser.add_argument("--calm-minutes", type=float, default=30.0, help="how long a run without a fault is")
    parser.add_argument("--minutes", type=float, default=45.0, help="longer runs are cut")
    parser.add_argument("--threshold", type=float, help="alert from this score on; default: foregate's own")
    parser.add_argument("--model", type=Path, help="a model file; default: the bundled one")
    return parser


def _name(choice: Choice, settings: Settings, side_by_side: int) -> str:
    """Of the folder of results: they belong to these choices, this model, these settings and this code alone."""
    digest = hashlib.sha256(repr((choice, settings.threshold, side_by_side)).encode())
    digest.update((settings.model or bundled_path()).read_bytes())
    digest.update(repr(sorted((k, v) for k, v in os.environ.items() if k.startswith("FOREGATE__"))).encode())
    digest.update(code_of(Path(foregate.__file__).parent, "**/*.py"))
    digest.update(code_of(Path(__file__).parent, "live_lab*.py"))
    return digest.hexdigest()[:12]


def code_of(folder: Path, pattern: str) -> bytes:
    """A digest of a folder's files: another foregate would say something else."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob(pattern)):
        digest.update(f"{file.relative_to(folder)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.digest()


def keep(file: Path, batch: Batch) -> None:
    """Whole or not at all, whenever this is killed."""
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(batch)))
    new.replace(file)


def _batch(number: int, runs: Sequence[Planned], settings: Settings, folder: Path) -> Batch:
    kept = folder / f"batch-{number}.json"
    before = msgspec.json.decode(kept.read_bytes(), type=Batch) if kept.exists() else None
    if before is not None and not before.invalid:
        say(f"batch {number}: kept from before")
        return before
    say(f"batch {number}: {len(runs)} worlds, {runs[-1].scenario.duration_s / 60:.0f} min, {time.strftime('%H:%M')}")
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        batch = run_batch(runs, settings, Path(temporary))
    keep(kept, batch)
    for sentence in batch.invalid:
        say(f"  INVALID {sentence}")
    return batch


def _report(choice: Choice, done: Sequence[Batch]) -> int:
    results: list[Result] = [result for batch in done for result in batch.results]
    print(table(choice.kinds, results))
    first = done[0]
    print(f"model {first.model_version}, threshold {first.threshold:g}")
    outcome = Outcome(facts(choice, results, done))
    outcome.invalid = [f"batch {number}: {sentence}" for number, batch in enumerate(done) for sentence in batch.invalid]
    status = finish("live-lab", outcome)
    print(json.dumps({name: getattr(first.load, name) for name in ("cores", "rss_mb")}, indent=1), file=sys.stderr)
    return status
