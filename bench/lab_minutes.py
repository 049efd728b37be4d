"""`lab-minutes`: does the generator of minutes do what the headless lab does? The same fault and world, by both.

Per kind and seed: whether and when it fails, how far p95 and requests in flight had grown before, how far
traffic grew in all, what the failures were. The table stands in docs/explanations/lab-generator.md.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

import numpy as np

from bench.report import Goal, Outcome, finish
from foregate.lab import Fault, Scenario, run_headless
from foregate.lab.catalogue import KINDS
from foregate.lab.minutes import generate
from foregate.lab.minutes.mirror import mirror
from foregate.wire.event import RequestEvent
from foregate.wire.minutes import COLUMNS

CALM_MINUTES = 3
ROUTE = {"payments": "/payments", "search": "/search", "users": "/users", "orders": "/orders", "ai": "/ai"}
_PLACE = {name: place for place, name in enumerate(COLUMNS)}


@dataclass(frozen=True)
class Minute:
    """One minute of one API, as either of them saw it."""

    requests: float
    errors: float
    timeouts: float
    broken: float
    p95_ms: float
    inflight: float

    @property
    def bad(self) -> bool:
        return self.errors >= 5 and self.errors >= 0.05 * self.requests


@dataclass(frozen=True)
class Signature:
    """What a fault did. Ratios are to the calm before it: the largest, of latency and in flight before failure."""

    onset_min: int | None  # first bad minute after the fault's start; None: it never failed
    p95: float
    traffic: float
    inflight: float
    failed: float  # share of requests in the bad minutes
    broken: float  # share of these failures that found the circuit open
    well: bool  # the last minute is as before


Run = dict[str, list[Minute]]  # service → minutes


def headless(scenario: Scenario) -> Run:
    """By the live model in virtual time, request by request."""
    events: dict[tuple[str, int], list[RequestEvent]] = defaultdict(list)
    for chunk in run_headless(scenario):
        for event in chunk:
            events[event.route, int((event.time_s - scenario.epoch_s) // 60)].append(event)
    minutes = range(int(scenario.duration_s // 60))
    return {service: [_minute(events[route, number]) for number in minutes] for service, route in ROUTE.items()}


def _minute(events: list[RequestEvent]) -> Minute:
    times = sorted(one.latency_ms for one in events if one.error not in ("circuit_open", "rate_limited"))
    return Minute(
        requests=len(events),
        errors=sum(one.failed for one in events),
        timeouts=sum(one.timed_out for one in events),
        broken=sum(one.error == "circuit_open" for one in events),
        p95_ms=times[int(0.95 * len(times))] if times else float("nan"),
        inflight=max((one.inflight for one in events), default=0),
    )


def generated(scenario: Scenario) -> Run:
    """By the generator."""
    made = generate(mirror(scenario))
    place = {entity.route: number for number, entity in enumerate(made.entities)}
    names = ("requests", "errors", "timeouts", "broken", "p95_ms", "inflight_max")
    rows = [_PLACE[name] for name in names]
    return {
        service: [Minute(*map(float, minute)) for minute in made.minutes[place[route]][rows].T]
        for service, route in ROUTE.items()
    }


def signature(run: Run, fault: Fault, until: int | None = None) -> Signature:
    """Of `fault`, which begins after CALM_MINUTES. `until`: look no further for growth, so that two runs compare."""
    minutes = run[fault.service]
    calm, rest = minutes[:CALM_MINUTES], minutes[CALM_MINUTES:]
    bad = [number for number, minute in enumerate(rest) if minute.bad]
    before = rest[: min(bad[:1] + ([until] if until is not None else []), default=len(rest))]
    failing = [rest[number] for number in bad]
    errors = sum(minute.errors for minute in failing)
    usual_ms = median(minute.p95_ms for minute in calm)
    last = minutes[-1]
    return Signature(
        onset_min=bad[0] if bad else None,
        p95=max((minute.p95_ms for minute in before), default=usual_ms) / usual_ms,
        traffic=max(minute.requests for minute in rest) / fmean(minute.requests for minute in calm),
        inflight=max((minute.inflight for minute in before), default=0.0) / max(minute.inflight for minute in calm),
        failed=errors / max(1.0, sum(minute.requests for minute in failing)),
        broken=sum(minute.broken for minute in failing) / max(1.0, errors),
        well=not last.bad and last.p95_ms < 2.0 * usual_ms,
    )


def signatures(one: Run, other: Run, fault: Fault) -> tuple[Signature, Signature]:
    """Of both, their growth compared up to where the first of them fails."""
    onsets = [seen.onset_min for run in (one, other) if (seen := signature(run, fault)).onset_min is not None]
    until = min(onsets, default=None)
    return signature(one, fault, until), signature(other, fault, until)


def scenario_of(faults: Sequence[Fault], seed: int, rate: float = 26.0) -> Scenario:
    """Calm, the faults side by side in services of their own, and calm again."""
    end_s = max(fault.start_s + fault.duration_s for fault in faults) + 150.0
    return Scenario(seed=seed, duration_s=60.0 * round(end_s / 60.0), rate=rate, faults=tuple(faults))


def fault_of(kind: str, service: str, severity: float, *, heals: bool = False) -> Fault:
    """One that begins when the calm is over and lasts well beyond its reach, or heals before."""
    fault = Fault(kind, service, 60.0 * CALM_MINUTES, 200.0, severity)
    if not KINDS[kind].gradual or KINDS[kind].benign:
        return replace(fault, duration_s=30.0) if kind == "blip" else fault
    return replace(fault, duration_s=(0.6 if heals else 1.6) * fault.reach_s)


def _plans(seed: int) -> list[Fault]:
    """Every kind once, at severities and services that change with the seed."""
    severity = 0.45 + 0.5 * ((seed * 0.618) % 1.0)
    faults = []
    for kind in KINDS.values():
        service = kind.services[seed % len(kind.services)]
        faults.append(fault_of(kind.name, service, severity))
        if kind.gradual and not kind.benign:
            faults.append(fault_of(kind.name, service, severity, heals=True))
    return faults


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench lab-minutes", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=100)
    given = parser.parse_args(argv)
    seen: dict[str, list[tuple[Signature, Signature]]] = defaultdict(list)
    for seed in range(given.first, given.first + given.seeds):
        for fault in _plans(seed):
            scenario = scenario_of([fault], seed)
            name = f"{fault.kind}, heals" if fault.heals and not KINDS[fault.kind].benign else fault.kind
            seen[name].append(signatures(headless(scenario), generated(scenario), fault))
        print(f"seed {seed} done", flush=True)
    print(table(seen))
    rows = {name: [[one.__dict__, other.__dict__] for one, other in pairs] for name, pairs in seen.items()}
    same = [(a.onset_min is None) == (b.onset_min is None) for pairs in seen.values() for a, b in pairs]
    return finish(
        "lab-minutes",
        Outcome(
            facts={"seeds": given.seeds, "first": given.first, "runs": rows},
            goals=[Goal("same verdict (fails or not), share of runs", fmean(same), least=0.9)],
        ),
    )


def table(seen: dict[str, list[tuple[Signature, Signature]]]) -> str:
    """Markdown: live | generated, medians over the seeds."""
    heads = ("kind", "runs", "fail", "same verdict", "onset, min", "p95 ×", "in flight ×", "traffic ×", "failed",
             "circuit open")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, pairs in seen.items():
        both = [pair for pair in pairs if all(one.onset_min is not None for one in pair)]
        cells = [
            name,
            str(len(pairs)),
            " / ".join(str(sum(one.onset_min is not None for one in side)) for side in zip(*pairs, strict=True)),
            str(sum((one.onset_min is None) == (other.onset_min is None) for one, other in pairs)),
            _both(both, "onset_min", 1),
            *(_both(pairs, column, 1) for column in ("p95", "inflight", "traffic")),
            *(_both(both, column, 2) for column in ("failed", "broken")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _both(pairs: list[tuple[Signature, Signature]], column: str, digits: int) -> str:
    if not pairs:
        return "–"
    return " / ".join(
        f"{np.median([getattr(one, column) for one in side]):.{digits}f}" for side in zip(*pairs, strict=True)
    )
