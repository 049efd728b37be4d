"""`balance`: how many keys move when 1 of 10 targets leaves; p99 under two algorithms when one target is slow."""

import argparse
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.gateway import KEY, route, service, start_workers
from bench.open_loop import Plan, Sample, head, send
from bench.process import free_port
from bench.report import Goal, Outcome, finish, percentile
from bench.upstream import start_python_upstream
from foregate.wire.snapshot import Balance, BalanceAlgorithm

TARGETS = 10
MOVED_MAX = 0.13  # of all keys, when one in ten must move
MOVED_NEEDLESSLY_MAX = 0.01
FAST_MS, SLOW_MS = 5.0, 25.0
P99_RATIO_MAX = 0.7  # of peak EWMA's p99 against round robin's
ALGORITHMS: tuple[BalanceAlgorithm, ...] = ("round_robin", "p2c_ewma")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench balance", description=__doc__)
    parser.add_argument("--keys", type=int, default=3_000)
    parser.add_argument("--rate", type=float, default=400.0)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args(argv)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        _hashing(Path(temporary), given.keys, outcome)
        _one_slow(Path(temporary), given.rate, given.seconds, outcome)
    return finish("balance", outcome)


# --- consistent hashing ------------------------------------------------------------------------------------------


def _hashing(folder: Path, keys: int, outcome: Outcome) -> None:
    """Two gateways, the second without the last target: who is where?"""
    with ExitStack() as stack:
        ports = [free_port() for _ in range(TARGETS)]
        for port in ports:
            stack.callback(start_python_upstream(folder, port, name=f"t{port}").stop)
        where = []
        for number in (TARGETS, TARGETS - 1):
            balance = Balance(algorithm="consistent_hash", hash_by="header:x-user")
            services = [service("bench", ports[:number], balance=balance)]
            gateway = start_workers(folder, free_port(), services, [route("/")], name=f"hash{number}")
            stack.callback(gateway.stop)
            where.append(places(gateway.port, keys))
    found = moved(where[0], where[1], f"t{ports[-1]}")
    outcome.facts["hashing"] = found
    print(f"\nconsistent hashing, {keys:,} keys on {TARGETS} targets, one leaves:")
    print(
        f"{found['moved']:.2%} of the keys moved ({found['had_to']:.2%} had to), {found['needlessly']:.2%} needlessly;"
    )
    print(f"the fullest target had {found['fullest']:.2f} times its fair share")
    outcome.goals.append(Goal("share of keys moved when 1 of 10 targets leaves", found["moved"], most=MOVED_MAX))
    outcome.goals.append(Goal("share moved though their target stayed", found["needlessly"], most=MOVED_NEEDLESSLY_MAX))


def places(port: int, keys: int) -> list[str]:
    """The target of each key, asked one after another. Raises RuntimeError for anything but a 200."""
    out = []
    with socket.create_connection(("127.0.0.1", port), timeout=10.0) as client:
        for number in range(keys):
            client.sendall(head("/", (("X-Api-Key", KEY), ("X-User", f"user-{number}"))))
            data = b""
            while b'xxx"}' not in data:
                piece = client.recv(65_536)
                data += piece
                if not piece or not data.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"the gateway said {data[:300]!r}")
            at = data.lower().index(b"x-target: ") + 10
            out.append(data[at:].split(b"\r\n", 1)[0].decode())
    return out


def moved(before: list[str], after: list[str], gone: str) -> dict[str, float]:
    """Shares of all keys."""
    pairs = list(zip(before, after, strict=True))
    counts = [before.count(each) for each in set(before)]
    return {
        "moved": sum(a != b for a, b in pairs) / len(pairs),
        "had_to": before.count(gone) / len(pairs),
        "needlessly": sum(a != b and a != gone for a, b in pairs) / len(pairs),
        "fullest": max(counts) * TARGETS / len(pairs),
    }


# --- one target is slow ------------------------------------------------------------------------------------------


def _one_slow(folder: Path, rate: float, seconds: float, outcome: Outcome) -> None:
    rows: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        ports = [free_port() for _ in range(5)]
        for number, port in enumerate(ports):
            who, delay_ms = ("slow", SLOW_MS) if number == 0 else (f"fast{number}", FAST_MS)
            stack.callback(start_python_upstream(folder, port, name=who, delay_ms=delay_ms).stop)
        for algorithm in ALGORITHMS:
            services = [service("bench", ports, balance=Balance(algorithm=algorithm))]
            gateway = start_workers(folder, free_port(), services, [route("/")], name=algorithm)
            stack.callback(gateway.stop)
            plan = Plan(gateway.port, rate, seconds, [head("/", (("X-Api-Key", KEY),))])
            rows[algorithm] = of_algorithm(send(plan, folder).samples)
    print(f"\none of 5 targets is {SLOW_MS / FAST_MS:g} times slower ({rate:g} requests/s, open loop):")
    print(f"{'':14}{'p50 ms':>9}{'p99 ms':>9}{'to the slow one':>17}{'failed':>8}")
    for name, row in rows.items():
        print(f"{name:14}{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}{row['slow_share']:>17.1%}{row['failed']:>8.0f}")
    outcome.facts["one_slow"] = rows
    share = rows["p2c_ewma"]["p99_ms"] / rows["round_robin"]["p99_ms"]
    outcome.goals.append(
        Goal("p99 of p2c_ewma against round robin, one target slow", share, most=P99_RATIO_MAX, unit="×")
    )
    outcome.invalid += [f"{name}: {row['failed']:.0f} requests failed" for name, row in rows.items() if row["failed"]]


def of_algorithm(samples: list[Sample]) -> dict[str, float]:
    """The first second is left out: nobody knows yet who is slow."""
    settled = [each for each in samples if each.due_s >= 1.0]
    good = [each for each in settled if each.status == 200]
    took = [(each.done_s - each.due_s) * 1e3 for each in good]
    return {
        "p50_ms": percentile(took, 50),
        "p99_ms": percentile(took, 99),
        "slow_share": sum(each.target == "slow" for each in good) / max(1, len(good)),
        "failed": float(len(samples) - sum(each.status == 200 for each in samples)),
    }
