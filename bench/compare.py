"""Several servers under the same loads, in interleaved rounds, so that the machine's noise is shared."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.process import Missing, Running, free_port
from bench.report import median, say
from bench.wrk import Load, Pace, Round, drive

_WARM_UP_S = 1.0
Starter = Callable[[Path, int, int], Running]  # (folder, own port, upstream's port)
Table = dict[str, list[Round]]  # name → one round after another


@dataclass
class Contest:
    """Who runs, and what each round of each load has found."""

    folder: Path
    running: dict[str, tuple[Running, int]] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    rss_mb: dict[str, float] = field(default_factory=dict)

    def enter(self, name: str, starter: Starter, upstream: int, load: Load) -> None:
        """Start and warm up; who is missing or does not start is left out, with the reason in `skipped`."""
        port = free_port()
        try:
            running = starter(self.folder, port, upstream)
        except (Missing, RuntimeError) as reason:
            self.skipped[name] = str(reason)
            say(f"SKIPPED {name}: {reason}")
            return
        self.add(name, running, port, load)

    def add(self, name: str, running: Running, port: int, load: Load) -> None:
        self.running[name] = (running, port)
        self.loads[name] = load
        drive(running, port, _WARM_UP_S, self.folder, load)

    def measure(self, paces: Mapping[str, Pace], rounds: int, seconds: float) -> dict[str, Table]:
        """Round after round, everybody in turn; the order turns too, so that nobody always follows the same one."""
        tables: dict[str, Table] = {load: {name: [] for name in self.running} for load in paces}
        names = list(self.running)
        for number in range(rounds):
            for load, pace in paces.items():
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    peer, port = self.running[name]
                    found = drive(peer, port, seconds, self.folder, self.loads[name], pace)
                    tables[load][name].append(found)
            say(f"round {number + 1} of {rounds} is done")
        self.rss_mb = {name: peer.rss_mb() for name, (peer, _) in self.running.items()}
        return tables

    def stop(self) -> None:
        for peer, _ in self.running.values():
            peer.stop()


@dataclass(frozen=True)
class Ratio:
    """How many times another's CPU per request: of each round, against the same round of the other."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}–{self.high:.2f}]"


def ratio(table: Table, mine: str, other: str) -> Ratio | None:
    """None where one of them did not run."""
    if not table.get(mine) or not table.get(other):
        return None
    each = [a.cpu_us / b.cpu_us for a, b in zip(table[mine], table[other], strict=True) if b.cpu_us]
    return Ratio(median(each), min(each), max(each)) if each else None


def row(rounds: list[Round]) -> dict[str, float]:
    """Medians over the rounds, and the spread of the CPU time."""
    return {
        "requests": sum(each.requests for each in rounds),
        "bad": sum(each.bad for each in rounds),
        "rps": median([each.requests / each.seconds for each in rounds]),
        "p50_ms": median([each.p50_ms for each in rounds]),
        "p99_ms": median([each.p99_ms for each in rounds]),
        "cpu_us": median([each.cpu_us for each in rounds]),
        "own_cpu_us": median([1e6 * each.own_cpu_s / max(1, each.requests) for each in rounds]),
        "cpu_us_min": min(each.cpu_us for each in rounds),
        "cpu_us_max": max(each.cpu_us for each in rounds),
    }


def lines(load: str, table: Table, rss_mb: Mapping[str, float], mine: str, others: list[str]) -> list[str]:
    """A table for people: one row each; `mine` as a multiple of each of the `others` below it."""
    head = (
        f"{load:14}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'min–max':>15}{'worker':>9}{'RSS MB':>9}"
    )
    out = ["", head]
    for name, rounds in table.items():
        of = row(rounds)
        spread = f"{of['cpu_us_min']:.1f}–{of['cpu_us_max']:.1f}"
        out.append(
            f"{name:14}{of['rps']:>12,.0f}{of['p50_ms']:>9.2f}{of['p99_ms']:>9.2f}{of['cpu_us']:>9.1f}{spread:>15}"
            f"{of['own_cpu_us']:>9.1f}{rss_mb.get(name, 0.0):>9.1f}"
        )
    found = [(other, ratio(table, mine, other)) for other in others]
    shares = ", ".join(f"{each} × {other}" for other, each in found if each is not None)
    return [*out, f"{mine} costs {shares}   (median of the rounds' ratios [lowest–highest])"] if shares else out


def broken(tables: Mapping[str, Table]) -> list[str]:
    """The rows that count for nothing, because not all answers were good ones."""
    return [
        f"{load}: {name} gave {bad} answers that were not 2xx or broke off"
        for load, table in tables.items()
        for name, rounds in table.items()
        if (bad := sum(each.bad for each in rounds))
    ]


def facts(tables: Mapping[str, Table], rss_mb: Mapping[str, float]) -> dict[str, Any]:
    return {
        load: {
            name: {**row(rounds), "rss_mb": rss_mb.get(name, 0.0), "rounds": [asdict(each) for each in rounds]}
            for name, rounds in table.items()
        }
        for load, table in tables.items()
    }
