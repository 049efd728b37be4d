"""What happens in a run of the world: which traffic, which faults, when. A value; the same one gives the same run."""

from dataclasses import dataclass, replace
from random import Random

from foregate.lab.catalogue import KINDS

REACH_SLOW_S = 25 * 60.0  # a gradual fault of severity 0 fails about so long after its start
REACH_QUICK_S = 3 * 60.0  # and one of severity 1 so soon
HEALS_SHARE = 0.2  # of gradual faults in random scenarios end before anything fails
DEMO_S = 24 * 3600.0
SETTLE_S = 600.0  # random scenarios begin with so much calm


def reach_s(severity: float) -> float:
    """About how long a gradual fault takes from its start to failure; a negative severity is slower than any here."""
    return float(REACH_SLOW_S * (REACH_QUICK_S / REACH_SLOW_S) ** severity)


@dataclass(frozen=True)
class Fault:
    """Something goes wrong in `service` from `start_s` (seconds into the run) for `duration_s`. `severity` 0 to 1.

    A negative `start_s` is a fault that began before the run did.

    Raises ValueError for a kind or service that does not exist, or numbers out of range.
    """

    kind: str
    service: str
    start_s: float
    duration_s: float
    severity: float = 0.7

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'"{self.kind}" is not a kind of fault; there are {", ".join(KINDS)}')
        if self.service not in KINDS[self.kind].services:
            raise ValueError(f"{self.kind} can befall {', '.join(KINDS[self.kind].services)}, not {self.service!r}")
        if not 0.0 <= self.severity <= 1.0:
            raise ValueError("severity is a number from 0 to 1")
        if not (-1e9 < self.start_s < 1e9 and 0.0 < self.duration_s < 1e9):
            raise ValueError("start_s is a number, duration_s a positive one")

    @property
    def reach_s(self) -> float:
        """About how long a gradual fault of this severity takes from its start to failure."""
        return reach_s(self.severity)

    @property
    def heals(self) -> bool:
        """Whether a gradual fault ends clearly before it would fail."""
        return KINDS[self.kind].gradual and self.duration_s <= 0.7 * self.reach_s


@dataclass(frozen=True)
class Scenario:
    """A run. `rate` is requests/s on average over all services, which are sized for it.

    `variation` 0 is the demo's own world; above it each service's speeds, sizes and margins are drawn around it (0.5
    to 1 makes worlds that differ as companies do). A day lasts `day_s`; the run begins at Unix time `epoch_s`.
    """

    seed: int
    duration_s: float = 3600.0
    rate: float = 40.0
    faults: tuple[Fault, ...] = ()
    variation: float = 0.0
    day_s: float = 86_400.0
    epoch_s: float = 1_700_000_000.0

    @classmethod
    def demo(cls, seed: int = 43, rate: float = 40.0) -> "Scenario":
        """What a newcomer sees: 75 s of calm, a leak that fails about six minutes later, then others, unhurried."""
        return cls(seed=seed, rate=rate, duration_s=DEMO_S, day_s=3_600.0, faults=_demo_faults(seed))

    def without_faults(self) -> "Scenario":
        """The same world and traffic on a good day."""
        return replace(self, faults=())


def _demo_faults(seed: int) -> tuple[Fault, ...]:
    """The first one is always the same; the others come in an order drawn from `seed`, about every twelve minutes."""
    rng = Random(f"demo/{seed}")  # noqa: S311 - a simulation wants repeatable chance
    faults = [Fault("memory_leak", "payments", 75.0, 555.0, 0.72)]
    start_s = 1_020.0
    gradual = [name for name, kind in KINDS.items() if kind.gradual and kind.foreseeable]
    others = [name for name, kind in KINDS.items() if name not in gradual]
    while start_s < DEMO_S:
        name = rng.choice(gradual if rng.random() < 0.65 else others)
        fault = _draw(name, start_s, rng, severity=rng.uniform(0.55, 0.8))
        faults.append(fault)
        start_s += fault.duration_s + rng.uniform(240.0, 480.0)
    return tuple(faults)


def random_scenario(rng: Random, duration_s: float, *, rate: float | None = None) -> Scenario:
    """A run for training: another world each time, with faults of all kinds, look-alikes, or nothing at all.

    A quarter of the runs are free of faults (half of those with look-alikes); of the gradual faults a fifth heal before
    they fail; severities are such that failure comes about 3 to 25 minutes after a fault's start.
    """
    seed = rng.getrandbits(48)
    faults: list[Fault] = []
    wants_faults = rng.random() < 0.75
    wants_benign = rng.random() < 0.5
    start_s = SETTLE_S + rng.uniform(0.0, 600.0) if rng.random() < 0.7 else rng.uniform(75.0, 300.0)
    while (wants_faults or wants_benign) and start_s < duration_s - 120.0:
        benign = wants_benign and (not wants_faults or rng.random() < 0.4)
        fault = _draw(_draw_kind(rng, benign), start_s, rng)
        faults.append(fault)
        start_s += fault.duration_s + rng.uniform(420.0, 1_500.0)
    return Scenario(
        seed=seed,
        duration_s=duration_s,
        rate=rate if rate is not None else rng.uniform(25.0, 50.0),
        faults=tuple(faults),
        variation=rng.uniform(0.3, 0.9),
        day_s=rng.choice((86_400.0, 14_400.0, 7_200.0)),
        epoch_s=1_700_000_000.0 + rng.randrange(7 * 86_400),
    )


def _draw_kind(rng: Random, benign: bool) -> str:
    """Three in four faults are gradual."""
    if benign:
        return rng.choice([name for name, kind in KINDS.items() if kind.benign])
    gradual = rng.random() < 0.75
    return rng.choice([name for name, kind in KINDS.items() if not kind.benign and kind.gradual is gradual])


def _draw(kind: str, start_s: float, rng: Random, severity: float | None = None) -> Fault:
    service = rng.choice(KINDS[kind].services)
    fault = Fault(kind, service, start_s, 60.0, rng.random() if severity is None else severity)
    if KINDS[kind].benign:
        duration_s = rng.uniform(15.0, 40.0) if kind == "blip" else rng.uniform(240.0, 900.0)
    elif not KINDS[kind].gradual:
        duration_s = rng.uniform(60.0, 420.0)
    elif rng.random() < HEALS_SHARE:
        duration_s = fault.reach_s * rng.uniform(0.3, 0.7)
    else:
        duration_s = fault.reach_s * rng.uniform(1.15, 1.4) + rng.uniform(120.0, 300.0)
    return replace(fault, duration_s=duration_s)
