"""Fallbacks to services that guard themselves: their own policies are not asked of who falls back to them.

A request has met the policies of its route's service. What the other service sets beyond them would be passed by, so it
must hold on the route already.
"""

from collections.abc import Iterator
from typing import Any

from foregate.app.config.problems import Path
from foregate.app.config.schema import Config, Route
from foregate.gateway.scopes import Resolved, resolve
from foregate.wire.policies import JOINED, Fallback, Policies

# What lets somebody in or not. How many may be under way at a time is kept to: see gateway/forwarding/fallbacks.py.
GUARDS = (
    "ip_filter",
    "api_key",
    "jwt",
    "basic",
    "hmac",
    "mtls",
    "bounds",
    "rate_limits",
    "quotas",
    "body_schema",
    "extensions",
)


def unguarded(config: Config) -> Iterator[tuple[Path, str]]:
    """Every fallback that would pass by a guard of the service it leads to: where, and the sentence."""
    guarded = {name: service.policies for name, service in config.services.items() if _guards(service.policies)}
    if not guarded:
        return
    said: set[tuple[Path, str]] = set()
    for path, fallback, met in _fallbacks(config):
        name = fallback.service
        if name is None or name not in guarded:
            continue
        resolved = resolve([("", policies) for policies in met])
        for kind in _guards(guarded[name]):
            if (path, kind) in said or holds(kind, getattr(guarded[name], kind), resolved):
                continue
            said.add((path, kind))
            sentence = (
                f"leads to {name}, whose policies.{kind} would not be asked: set the same where this request comes from"
            )
            yield (*path, "fallback", "service"), sentence


def _guards(policies: Policies) -> list[str]:
    return [kind for kind in GUARDS if getattr(policies, kind)]


def holds(kind: str, wanted: Any, resolved: Resolved) -> bool:
    """Whether the request has met the same already."""
    if kind in JOINED:
        met = [place.settings for place in resolved.many[kind]]
        return all(entry in met for entry in wanted)
    return kind in resolved.one and resolved.one[kind].settings == wanted


def _fallbacks(config: Config) -> Iterator[tuple[Path, Fallback, list[Policies]]]:
    """Each fallback in force somewhere, where it was set, and the policies that its requests have met for certain."""
    everywhere: Path = ("policies",)
    for index, route in enumerate(config.routes):
        own: Path = ("routes", index, "policies")
        for name, service in _services(config, route):
            places: list[tuple[Path, Policies]] = [
                (everywhere, config.policies),
                (("services", name, "policies"), service),
                (own, route.policies),
            ]
            path, fallback = _in_force(places)
            if fallback is not None and fallback.service not in (None, name):
                yield path, fallback, [policies for _, policies in places]
    consumers: list[tuple[Path, Policies]] = [
        *((("plans", name, "policies"), plan.policies) for name, plan in config.plans.items()),
        *((("keys", index, "policies"), key.policies) for index, key in enumerate(config.keys)),
    ]
    for path, policies in consumers:
        if policies.fallback is not None:  # on whatever route: only what is set globally or with it is certain
            yield path, policies.fallback, [config.policies, policies]


def _services(config: Config, route: Route) -> Iterator[tuple[str, Policies]]:
    for share in route.shares:
        if share.service in config.services:
            yield share.service, config.services[share.service].policies


def _in_force(places: list[tuple[Path, Policies]]) -> tuple[Path, Fallback | None]:
    """The fallback of the most specific place that has one."""
    for path, policies in reversed(places):
        if policies.fallback is not None:
            return path, policies.fallback
    return (), None
