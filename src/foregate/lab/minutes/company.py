"""A company drawn at random: which services it has, how they are built and called, how much is asked of them."""

from dataclasses import dataclass, replace
from math import ceil, exp, log
from random import Random

import numpy as np

from foregate.lab.gateway_settings import GatewaySettings
from foregate.lab.minutes.plan import Noise, RoutePlan, ServicePlan, Shape, Spare
from foregate.lab.minutes.stocks import pauses
from foregate.lab.model.profile import PROFILES, Profile, varied

NAMES = {
    "payments": ("payments", "billing", "checkout", "shipping", "notifications", "refunds", "tax"),
    "search": ("search", "catalogue", "recommendations", "pricing", "reviews", "offers"),
    "users": ("users", "sessions", "profiles", "accounts", "inventory", "messages", "files", "devices", "loyalty"),
    "orders": ("orders", "cart", "bookings", "subscriptions", "feed", "reports", "claims"),
    "ai": ("assistant", "embeddings", "moderation", "vision"),
}
WEIGHTS = {"payments": 2.0, "search": 2.0, "users": 3.0, "orders": 2.0, "ai": 1.0}
PATHS = ("/{0}", "/{0}/{{id}}", "/{0}/{{id}}/items", "/{0}/search", "/{0}/export", "/{0}/status")
RPS = (0.05, 120.0)  # of a service at its busiest hour
AI_CALLED = 0.15  # how often a language model may be among those that a service calls
PAUSED_MAX = 0.05  # so much of the time an ordinary process collects garbage at most: else more of them are run
TIMEOUTS_S = (1.0, 2.0, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True)
class Size:
    """How large companies of one part of the data are: number of services, and the typical requests/s of one."""

    services: tuple[int, int] = (4, 12)
    rps: float = 3.0
    rps_spread: float = 1.6  # of the logarithm


@dataclass(frozen=True)
class Drawn:
    """`archetypes`: of which of the demo's services each is a relative; it says what can befall it."""

    services: tuple[ServicePlan, ...]
    archetypes: dict[str, str]


def company(rng: Random, size: Size) -> Drawn:
    """Services of several archetypes, callees before their callers."""
    archetypes = _pick(rng, rng.randint(*size.services))
    day = Shape(
        swing=rng.uniform(0.1, 0.9), second=rng.uniform(0.0, 0.3), peak_h=rng.uniform(0.0, 24.0),
        weekend=rng.uniform(0.35, 1.1), mood=rng.uniform(0.04, 0.14),
    )  # fmt: skip
    calm = rng.random()  # some companies are noisier than others in everything
    services: list[ServicePlan] = []
    for name, archetype in sorted(archetypes.items(), key=lambda item: (item[1] == "orders", item[0])):
        callable_ = [one for one in services if archetypes[one.name] != "ai" or rng.random() < AI_CALLED]
        calls = _calls(rng, archetype, callable_)
        services.append(_service(rng, name, archetype, size, _near(rng, day), calm, calls, services))
    return Drawn(_shared_stores(rng, _sized(services)), archetypes)


def _pick(rng: Random, number: int) -> dict[str, str]:
    """Names → archetypes, no name twice."""
    out: dict[str, str] = {}
    while len(out) < number:
        archetype = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        out[rng.choice(NAMES[archetype])] = archetype
    return out


def _near(rng: Random, day: Shape) -> Shape:
    """A service's own day; one in six is asked by machines, which neither sleep nor rest."""
    if rng.random() < 1 / 6:
        return Shape(rng.uniform(0.0, 0.1), 0.0, 12.0, 1.0, rng.choice((0.0, 0.5, 1.5)), rng.uniform(0.02, 0.1))
    return replace(day, swing=day.swing * rng.uniform(0.7, 1.3), peak_h=day.peak_h + rng.gauss(0.0, 1.0))


def _calls(rng: Random, archetype: str, there: list[ServicePlan]) -> tuple[tuple[str, float], ...]:
    """Whom it calls: those like orders nearly always, others now and then."""
    most = min(len(there), rng.randint(1, 3) if archetype == "orders" else int(rng.random() < 0.2))
    return tuple((one.name, rng.choice((0.3, 0.7, 1.0, 1.0))) for one in rng.sample(there, most))


def _service(
    rng: Random, name: str, archetype: str, size: Size, shape: Shape, calm: float,
    calls: tuple[tuple[str, float], ...], there: list[ServicePlan],
) -> ServicePlan:  # fmt: skip
    ordinary = next(profile for profile in PROFILES if profile.name == archetype)
    holds = {one.name: one.profile.hold_s for one in there}
    rps = min(RPS[1], max(RPS[0], size.rps * exp(rng.gauss(0.0, size.rps_spread))))
    rps = min(rps, 12.0) if archetype == "ai" else rps
    profile = replace(
        varied(ordinary, rng, 1.0), name=name, share=rps, extra_share=0.0, instances=rng.choice((1, 1, 2, 2, 3, 4)),
        inner_s=sum(share * holds[callee] for callee, share in calls), noise=_noise(rng),
    )  # fmt: skip
    return ServicePlan(
        profile=profile,
        settings=_settings(rng, profile),
        routes=_routes(rng, name, archetype, rps),
        shape=shape,
        noise=_unexplained(rng, calm),
        calls=calls,
        store=profile.database and f"{name} {profile.database}",
        patience_s=rng.choice((10.0, 15.0, 30.0, 30.0)),
        cert_expires_s=rng.uniform(31.0, 90.0) * 86_400.0,
    )


def _noise(rng: Random) -> float:
    """Share of requests that fail for no reason: none to 1 %."""
    return exp(rng.uniform(log(2e-5), log(2e-3))) if rng.random() < 0.75 else rng.uniform(0.002, 0.01)


def _unexplained(rng: Random, calm: float) -> Noise:
    much = 0.4 + 1.2 * calm
    return Noise(
        minute=much * rng.uniform(0.01, 0.06), hour=much * rng.uniform(0.01, 0.08),
        hiccups_per_h=much * rng.uniform(0.0, 0.4), hiccup_times=rng.uniform(1.5, 5.0),
        bursts_per_h=rng.uniform(2.0, 20.0),
    )  # fmt: skip


def _settings(rng: Random, profile: Profile) -> GatewaySettings:
    timeout_s = max(rng.choice(TIMEOUTS_S), 8.0 * profile.hold_s)
    return GatewaySettings(
        timeout_s, 1, rng.choice((0.05, 0.1, 0.2)), 0.5, rng.choice((5, 8, 8, 20, 1_000)), rng.choice((5.0, 10.0, 30.0))
    )


def _routes(rng: Random, name: str, archetype: str, rps: float) -> tuple[RoutePlan, ...]:
    """One to four; some only read, some are heavy, some may be sent again."""
    paths = (PATHS[0], *rng.sample(PATHS[1:], rng.choice((0, 1, 1, 2, 3))))
    parts = [rng.gammavariate(0.8, 1.0) + 0.02 for _ in paths]
    retried = rng.random() < 0.8
    out = []
    for path, part in zip(paths, parts, strict=True):
        tailed = rng.random() < 0.4
        out.append(RoutePlan(
            path.format(name),
            rps * part / sum(parts),
            idempotent=rng.choice((0.0, 0.3, 1.0)) if retried else 0.0,
            light=rng.choice((0.0, 0.0, 0.3)) if path == PATHS[0] else rng.choice((0.0, 1.0)),
            work=_heavy(rng, path), query=_heavy(rng, path), query_sigma=0.5 if archetype == "ai" else 0.0,
            client_errors=rng.choice((0.0, 0.002, 0.01, 0.04)),
            tail=rng.uniform(0.0005, 0.01) if tailed else 0.0, tail_times=rng.uniform(3.0, 15.0),
            limited=rng.choice((0.0, 0.0, 0.0, 0.0, 0.01, 0.1)),
            crawled=12 if rng.random() < 0.04 else 0,
            tokens=rng.uniform(50.0, 900.0) if archetype == "ai" else 0.0,
        ))  # fmt: skip
    work = sum(route.rps * route.work for route in out) / rps
    query = sum(route.rps * route.query for route in out) / rps
    return tuple(replace(route, work=route.work / work, query=route.query / query) for route in out)


def _heavy(rng: Random, path: str) -> float:
    return exp(rng.gauss(1.0 if path.endswith("export") else 0.0, 0.4))


def _sized(services: list[ServicePlan]) -> tuple[ServicePlan, ...]:
    """Each is built for what comes from inside as well."""
    asked = {service.name: service.profile.share for service in services}
    inside = dict.fromkeys(asked, 0.0)
    for service in reversed(services):
        for callee, share in service.calls:
            inside[callee] += share * (asked[service.name] + inside[service.name])
    return tuple(
        replace(service, profile=_enough(replace(service.profile, extra_share=inside[service.name])))
        for service in services
    )


def _enough(profile: Profile) -> Profile:
    """As many processes as its garbage needs."""
    calm = np.array([profile.rps(1.0) / profile.instances])
    busy = float(pauses(profile, np.array([profile.heap_base_mb]), calm).busy[0])
    return replace(profile, instances=ceil(profile.instances * max(1.0, busy / PAUSED_MAX)))


def _shared_stores(rng: Random, services: tuple[ServicePlan, ...]) -> tuple[ServicePlan, ...]:
    """In two companies of three, two services live on one database server."""
    if rng.random() > 2 / 3:
        return services
    first, second = rng.sample(services, 2)
    return tuple(replace(one, store=first.store) if one is second else one for one in services)


def with_spare_memory(rng: Random, drawn: Drawn) -> Drawn:
    """Half of the services keep memory that nobody needs, up to most of what is free, within minutes or hours."""
    services = tuple(
        replace(one, spare=Spare(rng.uniform(0.1, 0.7), exp(rng.uniform(log(500.0), log(14_400.0)))))
        if rng.random() < 0.5 else one
        for one in drawn.services
    )  # fmt: skip
    return replace(drawn, services=services)
