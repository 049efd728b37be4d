"""How exact the embedded limits are across processes, without HTTP: `accuracy`.

`python -m bench.limit_accuracy` prints 2 and 4 workers × token bucket and sliding window × 10 to 5,000/s.
"""

import math
import multiprocessing
import random
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Literal

from foregate.adapters.embedded.limits import open_limits
from foregate.ports.limits import Rule, SlidingWindow, TokenBucket

Algorithm = Literal["token_bucket", "sliding_window"]
START_TIMEOUT_S = 60.0


def accuracy(
    workers: int, algorithm: Algorithm, rate: float, seconds: int, *, demand: float = 0.0, seed: int = 1
) -> float:
    """Admitted requests as a share of what the limit allows (1.0: exact) with `demand` times `rate` asked for.

    The default demand is 3, and more where the rate is low: at least 300/s, so that no token waits to be asked for.

    Requests come in a Poisson stream to each of `workers` processes; what comes late because the machine is busy is
    asked for late, not dropped. The bucket holds a quarter of a second, and its first filling counts as allowed.
    """
    demand = demand or max(3.0, 300.0 / rate)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers + 1)
    start_s, admitted = context.Value("d", 0.0), context.Array("Q", workers)
    with tempfile.TemporaryDirectory() as folder:
        asking = [
            context.Process(
                target=_ask,
                args=(Path(folder) / "limits.bin", workers, worker, _rule(algorithm, rate), barrier, start_s, admitted),
                kwargs={"seconds": seconds, "rate": rate * demand / workers, "seed": seed * 100 + worker},
            )
            for worker in range(workers)
        ]
        for process in asking:
            process.start()
        barrier.wait(START_TIMEOUT_S)
        start_s.value = math.ceil(time.monotonic() + 0.1)  # where a window of a second begins
        barrier.wait(START_TIMEOUT_S)
        for process in asking:
            process.join(seconds + START_TIMEOUT_S)
            if process.exitcode != 0:
                raise RuntimeError(f"a worker ended with {process.exitcode}")
    allowed = rate * seconds + (_burst(rate) if algorithm == "token_bucket" else 0.0)
    return sum(admitted) / allowed


def _burst(rate: float) -> float:
    return max(1.0, rate / 4)


def _rule(algorithm: Algorithm, rate: float) -> Rule:
    return TokenBucket(rate, _burst(rate)) if algorithm == "token_bucket" else SlidingWindow(rate, 1.0)


def _ask(
    path: Path,
    workers: int,
    worker: int,
    rule: Rule,
    barrier: Barrier,
    start_s: Any,
    admitted: Any,
    *,
    seconds: int,
    rate: float,
    seed: int,
) -> None:
    """One worker: an open loop of requests for one subject."""
    store, rng = open_limits(path, workers, worker), random.Random(seed)
    barrier.wait(START_TIMEOUT_S)
    barrier.wait(START_TIMEOUT_S)
    due_s, end_s, count = start_s.value, start_s.value + seconds, 0
    while (due_s := due_s + rng.expovariate(rate)) < end_s:
        while (now_s := time.monotonic()) < due_s:
            time.sleep(due_s - now_s)
        if now_s >= end_s:
            break
        count += store.take_one(rule, b"bench/everybody", now_s, time.time()).allowed
    admitted[worker] = count
    store.close()


if __name__ == "__main__":
    for workers_ in (2, 4):
        for algorithm_ in ("token_bucket", "sliding_window"):
            for rate_ in (10.0, 100.0, 1_000.0, 5_000.0):
                share = accuracy(workers_, algorithm_, rate_, 10 if rate_ < 100 else 4)  # type: ignore[arg-type]
                print(f"{workers_} workers  {algorithm_:15} {rate_:6.0f}/s  {share:8.2%}", flush=True)
