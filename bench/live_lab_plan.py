"""Which worlds the live lab bench runs, and which of them side by side. Pure, and the same for the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from random import Random

from foregate.lab import Fault, Scenario
from foregate.lab.catalogue import KINDS

REACHES = 1.6  # a run goes on until so many times the fault's reach are over …
AFTER_S = 240.0  # … and this much longer: three bad minutes must close
STAGGER_S = 180.0  # faults begin spread over so long
SEVERITIES = (0.2, 0.9)
VARIATIONS = (0.3, 0.9)
RATES = (0.8, 1.25)  # of the asked rate


@dataclass(frozen=True)
class Choice:
    """What is asked for. `calm`: fault-free runs; `quiet_s`: before the first fault; `run_s_max`: longer runs are cut;
    `calm_s`: how long a fault-free run is; `rate`: requests/s of a world, about."""

    kinds: tuple[str, ...]
    seeds: int
    calm: int
    first: int = 1_000
    rate: float = 15.0
    quiet_s: float = 300.0
    calm_s: float = 1_800.0
    run_s_max: float = 2_700.0


@dataclass(frozen=True)
class Planned:
    """One run. `world` is unique among all runs of a bench."""

    world: str
    seed: int
    scenario: Scenario

    @property
    def fault(self) -> Fault | None:
        return self.scenario.faults[0] if self.scenario.faults else None


def gradual_kinds() -> tuple[str, ...]:
    """Every kind of fault that grows before it fails."""
    return tuple(name for name, kind in KINDS.items() if kind.gradual and not kind.benign)


def plan(choice: Choice) -> tuple[Planned, ...]:
    """`seeds` runs of each kind, the kinds in turn; then the first `calm` of these worlds without their fault."""
    seeds = range(choice.first, choice.first + choice.seeds * len(choice.kinds))
    faulty = [faulty_scenario(seed, choice.kinds[n % len(choice.kinds)], choice) for n, seed in enumerate(seeds)]
    runs = [*zip(seeds, faulty, strict=True)]
    runs += [
        (seed, replace(scenario.without_faults(), duration_s=min(choice.calm_s, choice.run_s_max)))
        for seed, scenario in runs[: choice.calm]
    ]
    return tuple(Planned(f"w{number:03d}", seed, scenario) for number, (seed, scenario) in enumerate(runs))


def faulty_scenario(seed: int, kind: str, choice: Choice) -> Scenario:
    """A world of its own with one gradual fault that nobody mends: what the headless demonstration does."""
    rng = Random(f"foregate/live/{seed}/{kind}")
    fault = Fault(
        kind=kind,
        service=rng.choice(KINDS[kind].services),
        start_s=choice.quiet_s + rng.uniform(0.0, STAGGER_S),
        duration_s=choice.run_s_max,
        severity=rng.uniform(*SEVERITIES),
    )
    return Scenario(
        seed=rng.getrandbits(48),
        duration_s=min(choice.run_s_max, fault.start_s + REACHES * fault.reach_s + AFTER_S),
        rate=choice.rate * rng.uniform(*RATES),
        faults=(fault,),
        variation=rng.uniform(*VARIATIONS),
        epoch_s=1_700_000_000.0 + rng.randrange(7 * 86_400),
    )


def batches(runs: Sequence[Planned], side_by_side: int) -> list[tuple[Planned, ...]]:
    """At most `side_by_side` at a time, the quick ones together: a batch takes as long as its longest run."""
    ordered = sorted(runs, key=lambda run: (run.scenario.duration_s, run.world))
    count = ceil(len(ordered) / side_by_side)
    size = ceil(len(ordered) / count) if count else 0
    return [tuple(ordered[begin : begin + size]) for begin in range(0, len(ordered), size or 1)]
