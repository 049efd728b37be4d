"""The demo's world as a plan, so that the generator can be held against a headless run of the same scenario."""

from dataclasses import replace
from random import Random

from foregate.lab.catalogue import KINDS
from foregate.lab.gateway_settings import SETTINGS
from foregate.lab.minutes.plan import Noise, RoutePlan, ServicePlan, Shape, Trouble, WorldPlan
from foregate.lab.model.profile import PROFILES, Profile, varied
from foregate.lab.scenario import Scenario
from foregate.lab.traffic.arrivals import BURST_EVERY_S, MOOD_SPREAD, day_shape
from foregate.lab.traffic.visits import ROUTES, WEB

# What the services' own code says: which requests only read, which may be sent again, what they cost.
_CALLS = {"orders": (("users", 1.0), ("payments", 0.65))}
_READS = {"/payments": 0.3}
_IDEMPOTENT = {"/payments": 0.3, "/search": 1.0, "/partner": 1.0, "/users": 1.0, "/orders": 0.35}
_QUERY = {"/orders": 0.86, "/ai": 0.55, "/ai/chat": 1.0}
_QUERY_SIGMA = {"/ai": 0.8, "/ai/chat": 0.5}
# An answer from the cache costs search less; orders makes the dear calls: never cached, always a capture.
_WORK = {"/search": 0.6, "/partner": 0.6, "/orders": 2.6}
_MISSES = {"/users": 0.42}  # calls from orders ask for one user after another: each of them misses
_LIMITED = {"/partner": 0.25}
_TOKENS = {"/ai": 17.0, "/ai/chat": 27.0}


def mirror(scenario: Scenario) -> WorldPlan:
    """The same services, sizes, settings and faults; its traffic is the scenario's in the middle of the run."""
    rng = Random(f"{scenario.seed}/world")  # noqa: S311 - as the live world draws its services
    level = day_shape(scenario, scenario.duration_s / 2)
    services = [_service(varied(profile, rng, scenario.variation), scenario, level) for profile in PROFILES]
    return WorldPlan(
        name="demo",
        seed=scenario.seed,
        start_s=scenario.epoch_s // 3600 * 3600,  # the live model's hours begin with its run
        days=round(scenario.duration_s / 60) / 1440,
        services=tuple(services),
        troubles=tuple(
            Trouble(
                fault.kind, fault.service, fault.start_s, fault.duration_s, fault.severity, fault.reach_s,
                fault.heals, KINDS[fault.kind].benign,
            )
            for fault in scenario.faults
        ),
        environment="demo",
    )  # fmt: skip


def _service(profile: Profile, scenario: Scenario, level: float) -> ServicePlan:
    rate = scenario.rate
    sized = replace(profile, share=profile.share * rate, extra_share=profile.extra_share * rate)
    return ServicePlan(
        profile=sized,
        settings=SETTINGS[profile.name],
        routes=tuple(_route(route.path, sized.share * route.share * level) for route in ROUTES
                     if route.service == profile.name),
        shape=Shape(swing=0.0, mood=MOOD_SPREAD, weekend=1.0),
        noise=Noise(minute=0.0, hour=0.0, hiccups_per_h=0.0, bursts_per_h=3600.0 / BURST_EVERY_S),
        calls=_CALLS.get(profile.name, ()),
        store=profile.database,
        patience_s=WEB.patience_s,
    )  # fmt: skip


def _route(path: str, rps: float) -> RoutePlan:
    return RoutePlan(
        path, rps,
        idempotent=_IDEMPOTENT.get(path, 0.0), misses=_MISSES.get(path), light=_READS.get(path, 0.0),
        work=_WORK.get(path, 1.0), query=_QUERY.get(path, 1.0), query_sigma=_QUERY_SIGMA.get(path, 0.0),
        client_errors=0.01 if path == "/users" else 0.0,
        limited=_LIMITED.get(path, 0.0), crawled=12 if path in _LIMITED else 0, tokens=_TOKENS.get(path, 0.0),
    )  # fmt: skip
