"""The dashboard's questions, asked of a data directory: `python -m bench.archive_ask DATA ROUNDS_COLD ROUNDS_WARM`.

Cold: new handles, and the stores' files are no longer in the system's memory. Warm: the same handles, asked before, but
each time for a range that ends a second later, as a page does that renews itself. Prints milliseconds as JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path

from foregate.app.paths import DataDir
from foregate.app.questions import open_questions
from foregate.app.runtime import read_runtime
from foregate.app.stores import open_series
from foregate.kernel.clock import SystemClock
from foregate.telemetry.query.asking import Asker
from foregate.wire.ask import Ask, Filter

HOUR_S, DAY_S = 3_600.0, 86_400.0
ORG = "default"
Question = Callable[[Asker, float], int]  # until when; how many series came


def _ask(range_s: float, *measures: str, step_s: int = 0, by: tuple[str, ...] = (), **more: object) -> Question:
    def asked(asker: Asker, until_s: float) -> int:
        ask = Ask(ORG, until_s - range_s, until_s, measures, step_s=step_s, group_by=by, **more)  # type: ignore[arg-type]
        return len(asker.ask(ask).series)

    return asked


def _compared(asker: Asker, until_s: float) -> int:
    ask = Ask(ORG, until_s - 7 * DAY_S, until_s, ("requests", "error_rate", "p95_ms"), step_s=3_600)
    return sum(len(answer.series) for answer in asker.compared(ask, 7 * DAY_S))


DASHBOARD: Mapping[str, Question] = {
    "traffic and errors, 24 h": _ask(DAY_S, "requests", "errors", step_s=900),
    "p95 by route, 24 h": _ask(DAY_S, "p95_ms", step_s=900, by=("route",)),
    "top routes, 7 d": _ask(7 * DAY_S, "requests", by=("route",), top=10),
    "error rate, 30 d": _ask(29 * DAY_S, "error_rate", step_s=86_400),
    "status classes, 24 h": _ask(DAY_S, "requests", step_s=900, by=("status_class",)),
    "top keys, 24 h": _ask(DAY_S, "requests", by=("key_id",), top=10),
    "unique clients, 24 h": _ask(DAY_S, "clients"),
    "compared with the week before": _compared,
}
SINGLE_EVENTS: Mapping[str, Question] = {  # the windows do not know these
    "by method, 1 h": _ask(HOUR_S, "requests", "p95_ms", by=("method",)),
    "by target, 24 h": _ask(DAY_S, "requests", "errors", "p95_ms", by=("target",)),
    "a client's paths, 24 h": _ask(
        DAY_S, "requests", by=("path",), top=10, filters=(Filter("client", "eq", ("198.51.0.7",)),)
    ),
}


def forget_files(data: DataDir) -> None:
    """Have the system drop what it holds of the stores in memory."""
    files = [data.series, data.series.with_name("series.sqlite-wal"), *data.archive.rglob("*")]
    for path in files:
        if path.is_file():
            with suppress(FileNotFoundError):
                descriptor = os.open(path, os.O_RDONLY)
                os.fdatasync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)


def main(name: str, cold: int, warm: int) -> dict[str, dict[str, list[float]]]:
    data, clock = DataDir(Path(name)), SystemClock()
    runtime = read_runtime(data)
    found: dict[str, dict[str, list[float]]] = {}
    for what, question in (DASHBOARD | SINGLE_EVENTS).items():
        times = found[what] = {"cold": [], "warm": []}
        for _ in range(cold):
            forget_files(data)
            with closing(open_series(runtime, data)) as series:
                asker, _ = open_questions(data, runtime, series, clock)
                times["cold"].append(_timed(asker, question))
        with closing(open_series(runtime, data)) as series:
            asker, _ = open_questions(data, runtime, series, clock)
            _timed(asker, question)
            for _ in range(warm):
                time.sleep(1.0)
                times["warm"].append(_timed(asker, question))
    return found


def _timed(asker: Asker, question: Question) -> float:
    until_s = float(int(time.time()))
    begin_s = time.perf_counter()
    if not question(asker, until_s):
        raise SystemExit("no answer: the figures would be of nothing")
    return (time.perf_counter() - begin_s) * 1e3


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
