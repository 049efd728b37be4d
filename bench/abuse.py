"""`python -m bench abuse`: block and unblock timing of an attack replay, and what detection costs.

Virtual time, so the table does not depend on this machine: one attack of each kind begins after a flash crowd, an
outage with the rush after it, and a broken release, all with well-behaved clients beside, for several seeds. Costs are
CPU time, the best of several rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from random import Random

from bench.attacks import ATTACKS_S, START_S, UNTIL_S, Outcome, attacks, digest, event, replay, well_behaved
from bench.report import Goal, finish
from bench.report import Outcome as Report
from foregate.abuse import Detector
from foregate.gateway.blocked import Blocked
from foregate.kernel.clock import SystemClock
from foregate.wire.abuse import Abuse
from foregate.wire.event import RequestEvent
from foregate.wire.verdicts import Block

BLOCKING = Abuse(mode="block")
BATCH = 500
ROUNDS = 5
LOOKS = 200_000


def main(argv: list[str]) -> int:
    """Print the table and the costs."""
    parser = argparse.ArgumentParser(prog="python -m bench abuse", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args(argv)
    report = Report()
    outcomes = [
        replay([*well_behaved(Random(seed)), *attacks()], UNTIL_S, BLOCKING, seed) for seed in range(given.seeds)
    ]
    timing(outcomes, report)
    costs(report)
    return finish("abuse", report)


def timing(outcomes: list[Outcome], report: Report) -> None:
    """Seconds to the first refusal, and from a block's end to the next one: median and worst of the seeds."""
    print(f"{'attack':<20} {'first refused':>20} {'blocked again after its end':>28} {'requests refused':>18}")
    rows = {}
    for name in [actor.name for actor in outcomes[0].actors if actor.bad]:
        actors = [next(actor for actor in outcome.actors if actor.name == name) for outcome in outcomes]
        first = [(a.first_refused_s or UNTIL_S) - ATTACKS_S for a in actors]
        again = [gap for actor in actors for gap in _gaps(actor.refusals)]
        share = statistics.mean(actor.refused / actor.sent for actor in actors)
        rows[name] = {"first_s": first, "again_s": again, "refused": share}
        print(
            f"{name:<20} {statistics.median(first):>8.1f} s, ≤{max(first):>5.1f} s"
            f" {statistics.median(again):>16.1f} s, ≤{max(again):>5.1f} s {share:>17.1%}"
        )
        report.goals.append(Goal(f"{name}: seconds until it is refused, at most", max(first), most=15.0, unit=" s"))
    wrong = sum(len(outcome.blocked(bad=False)) for outcome in outcomes)
    good = sum(not actor.bad for outcome in outcomes for actor in outcome.actors)
    early = sum(decision.made_s < START_S + ATTACKS_S for outcome in outcomes for decision in outcome.decisions)
    print(f"well-behaved clients blocked: {wrong} of {good}; blocks before any attack: {early}")
    report.facts["timing"] = rows
    report.goals.append(Goal("well-behaved clients blocked", float(wrong + early), most=0.0))


def _gaps(refusals: list[float]) -> list[float]:
    """How long it was let in between two blocks."""
    return [two - one for one, two in pairwise(refusals) if two - one > 0.4]


def costs(report: Report) -> None:
    """CPU time of detection per event, and of a worker's look per request."""
    rng = Random(1)
    found = {}
    for clients in (10, 1_000, 40_000):
        made = [_request(rng, n, clients) for n in range(60_000)]
        detector = Detector(BLOCKING, digest=digest)
        spent = best(lambda detector=detector, made=made: _feed(detector, made))  # type: ignore[misc]
        found[f"detection, {clients:,} clients"] = spent / len(made) * 1e6
    attack = [event(START_S + n * 0.01, "192.0.2.1", f"/{rng.getrandbits(40):x}", 404) for n in range(30_000)]
    found["detection, one attacker"] = best(lambda: _feed(Detector(BLOCKING, digest=digest), attack)) / 30_000 * 1e6
    for blocks in (0, 10_000):
        blocked = Blocked(SystemClock().now)
        until_s = SystemClock().now() + 1_000.0
        subjects = [f"ip:10.0.{n >> 8}.{n & 255}" for n in range(blocks)]
        blocked.follow([Block(each, until_s, "", "sweep", 1, 0.0, "b") for each in subjects], BLOCKING)
        found[f"look of a worker, {blocks:,} blocks"] = best(lambda blocked=blocked: _look(blocked)) / LOOKS * 1e6  # type: ignore[misc]
    print()
    for what, microseconds in found.items():
        print(f"{what:<36} {microseconds:>7.3f} µs")
    report.facts["microseconds"] = found
    report.goals.append(
        Goal("detection per event, 1,000 clients", found["detection, 1,000 clients"], most=20.0, unit=" µs")
    )
    report.goals.append(
        Goal("a worker's look while nobody is blocked", found["look of a worker, 0 blocks"], most=0.2, unit=" µs")
    )


def _request(rng: Random, number: int, clients: int) -> RequestEvent:
    who = int(clients * rng.random() ** 2)
    status = 404 if rng.random() < 0.02 else 200
    address = f"10.{who >> 16}.{who >> 8 & 255}.{who & 255}"
    return event(START_S + number * 1e-3, address, f"/orders/{rng.getrandbits(20)}", status, "/orders", f"k{who % 500}")


def _feed(detector: Detector, events: list[RequestEvent]) -> None:
    for start in range(0, len(events), BATCH):
        detector.add(events[start : start + BATCH])


def _look(blocked: Blocked) -> None:
    """As `Gateway._handle` does it."""
    for _ in range(LOOKS):
        if blocked.addresses and blocked.of_address("192.0.2.1") is not None:
            raise AssertionError("nobody has blocked it")


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest round."""
    spent = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        spent.append(time.process_time() - begin)
    return min(spent)
