"""What befalls a drawn company: faults, look-alikes, deploys, gaps, and what it does not measure."""

from dataclasses import dataclass, field
from random import Random

import numpy as np

from foregate.lab.catalogue import KINDS
from foregate.lab.minutes.company import Drawn
from foregate.lab.minutes.plan import Deploy, Gap, ServicePlan, Trouble
from foregate.lab.minutes.traffic import level
from foregate.lab.scenario import reach_s

DAY_S = 86_400.0
BETWEEN_S = 1_500.0  # after a fault the same service has so much peace from real ones at least
RAMP_BUSY_MIN = 0.1  # nobody's traffic grows a hundredfold: a nearly idle service has another fault
QUOTA_REACH_S_MAX = 2_100.0  # an hour's quota must run out within the hour

UNKNOWN = {  # how many companies in ten do not measure it
    "timeouts": 1, "client_errors": 1, "limited": 2, "broken": 2, "retries": 2, "inflight_max": 2, "mean_ms": 1,
    "p50_ms": 1, "p99_ms": 1, "upstream_mean_ms": 2, "queue_mean_ms": 6, "upstream_limited": 4, "tokens": 4,
    "first_token_ms": 5, "model_failures": 5, "quota_left": 5, "cert_left_s": 4, "deploys": 2, "config_changes": 4,
    "memory_left": 5, "connections_left": 6, "workers_left": 6, "time_limit_ms": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Mix:
    """How often what happens. Rates are per service and day."""

    real: float = 1.3
    benign: float = 1.8
    gradual: float = 0.85  # share of the real ones
    heals: float = 0.35  # share of the gradual ones
    severity: tuple[float, float] = (-0.9, 0.6)  # a reach of 170 to 7 minutes: companies are less hurried than a demo
    weights: dict[str, float] = field(default_factory=dict)  # of kinds; 1 where not named


def troubles(rng: Random, drawn: Drawn, mix: Mix, start_s: float, days: float) -> tuple[Trouble, ...]:
    """Faults and look-alikes of every service; more of them while there is traffic."""
    out: list[Trouble] = []
    for service in drawn.services:
        archetype = drawn.archetypes[service.name]
        free_s = 0.0
        for at_s in _moments(rng, service, mix.real, start_s, days):
            if at_s < free_s:
                continue
            trouble = _real(rng, service, archetype, mix, at_s, start_s)
            if trouble is not None and trouble.start_s >= free_s:
                out.append(trouble)
                free_s = trouble.start_s + trouble.duration_s + BETWEEN_S
        out += [_benign(rng, service, archetype, at_s) for at_s in _moments(rng, service, mix.benign, start_s, days)]
        out += _nightly(rng, service, archetype, days)
    return tuple(sorted(out, key=lambda one: (one.start_s, one.service, one.kind)))


def _moments(rng: Random, service: ServicePlan, rate: float, start_s: float, days: float) -> list[float]:
    """A Poisson stream whose rate follows the service's traffic half-way."""
    out: list[float] = []
    at_s = 0.0
    while True:
        at_s += rng.expovariate(2.0 * rate / DAY_S)
        if at_s >= days * DAY_S:
            return out
        if rng.random() < 0.25 + 0.5 * _level(service, start_s, at_s):
            out.append(at_s)


def _level(service: ServicePlan, start_s: float, at_s: float) -> float:
    return float(level(service.shape, start_s, np.array([at_s]))[0])


def _real(rng: Random, service: ServicePlan, archetype: str, mix: Mix, at_s: float, start_s: float) -> Trouble | None:
    """A fault of a kind that can befall such a service."""
    gradual = rng.random() < mix.gradual
    kinds = [
        name for name, kind in KINDS.items()
        if not kind.benign and kind.gradual is gradual and archetype in kind.services
    ]  # fmt: skip
    kind = rng.choices(kinds, [mix.weights.get(name, 1.0) for name in kinds])[0]
    severity = rng.uniform(*mix.severity)
    busy = service.profile.utilisation(1.0) * _level(service, start_s, at_s)
    if kind == "load_ramp" and busy < RAMP_BUSY_MIN:
        kind = "brownout"
    if not gradual:
        duration_s = rng.uniform(300.0, 3_600.0) if kind == "certificate" else rng.uniform(120.0, 900.0)
        return Trouble(kind, service.name, at_s, duration_s, max(0.0, severity), 0.0)
    reach = reach_s(severity)
    if kind == "quota_exhaustion":
        reach = min(reach, QUOTA_REACH_S_MAX)
        begun_s = (start_s + at_s) // 3600.0 * 3600.0 - start_s
        at_s = begun_s + rng.uniform(0.0, 3600.0 - 1.4 * reach)
        if at_s < 0.0:
            return None
    heals = rng.random() < mix.heals
    duration_s = reach * rng.uniform(0.3, 0.7) if heals else reach * rng.uniform(1.15, 1.4) + rng.uniform(120.0, 300.0)
    return Trouble(kind, service.name, at_s, duration_s, severity, reach, heals)


def _benign(rng: Random, service: ServicePlan, archetype: str, at_s: float) -> Trouble:
    """Something that looks like a fault and never fails."""
    kind = rng.choice([name for name, kind in KINDS.items() if kind.benign and archetype in kind.services])
    duration_s = rng.uniform(15.0, 40.0) if kind == "blip" else rng.uniform(240.0, 2_400.0)
    return Trouble(kind, service.name, at_s, duration_s, rng.random(), 0.0, benign=True)


def _nightly(rng: Random, service: ServicePlan, archetype: str, days: float) -> list[Trouble]:
    """Every other service has a job that runs at the same time each day."""
    if rng.random() < 0.5 or archetype not in KINDS["batch_job"].services:
        return []
    at_s, lasts_s, severity = rng.uniform(0.0, DAY_S), rng.uniform(300.0, 2_400.0), rng.random()
    return [
        Trouble("batch_job", service.name, at_s + DAY_S * day, lasts_s * rng.uniform(0.9, 1.1), severity, 0.0,
                benign=True)
        for day in range(int(days) + 1) if at_s + DAY_S * day < days * DAY_S
    ]  # fmt: skip


def deploys(rng: Random, drawn: Drawn, days: float) -> tuple[Deploy, ...]:
    """New versions that work, in the busier half of the day; three in ten change how fast the service is."""
    out = []
    for service in drawn.services:
        per_day, pace = rng.uniform(0.1, 2.5), 1.0
        for day in range(int(days) + 1):
            for _ in range(_poisson(rng, per_day)):
                at_s = day * DAY_S + (service.shape.peak_h + rng.uniform(-5.0, 5.0)) % 24.0 * 3600.0
                pace = rng.uniform(0.85, 1.3) if rng.random() < 0.3 else 1.0
                if at_s < days * DAY_S:
                    out.append(Deploy(service.name, at_s, pace))
    return tuple(sorted(out, key=lambda one: (one.at_s, one.service)))


def config_changes(rng: Random, days: float) -> tuple[float, ...]:
    """Of the gateway; none of them does harm."""
    return tuple(sorted(rng.uniform(0.0, days * DAY_S) for _ in range(_poisson(rng, 1.5 * days))))


def gaps(rng: Random, drawn: Drawn, days: float) -> tuple[Gap, ...]:
    """Minutes that nobody recorded: a collector that was down, or one service's."""
    everywhere = [
        Gap(rng.uniform(0.0, days * DAY_S), rng.uniform(60.0, 1_200.0)) for _ in range(_poisson(rng, days / 2))
    ]
    own = [
        Gap(rng.uniform(0.0, days * DAY_S), rng.uniform(60.0, 2_400.0), service.name)
        for service in drawn.services
        for _ in range(_poisson(rng, 0.2 * days))
    ]
    return tuple(everywhere + own)


def unknown(rng: Random) -> frozenset[str]:
    """Columns that nobody measures in this company."""
    return frozenset(name for name, tenths in UNKNOWN.items() if rng.random() < tenths / 10)


def _poisson(rng: Random, mean: float) -> int:
    """How many, by the gaps between them."""
    count, at = 0, rng.expovariate(1.0)
    while at < mean:
        count, at = count + 1, at + rng.expovariate(1.0)
    return count
