"""What a model's name means on a route: which models of which services may answer, and what each of them costs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from foregate.gateway.ai.credentials import lines_for
from foregate.gateway.ai.usage import Prices
from foregate.wire.ai import AiRoute, Model, Price, Provider, Routing

NAME = re.compile(r"[!-~]{1,128}")  # others mean nothing, whatever the patterns: names stand in events and logs
KNOWN_MAX = 1_024  # names that were asked for lately; at the bound all are worked out anew


class Candidate(NamedTuple):
    """A model that may answer. `model` is what its provider calls it, `entry` how it stands in the configuration."""

    service: str
    provider: Provider
    model: str
    entry: str
    settings: Model
    prices: Prices | None
    kept: tuple[bytes, ...]  # the header lines that its provider is sent

    @property
    def label(self) -> str:
        """As people read it."""
        return f"{self.service}/{self.model}"


class Plan(NamedTuple):
    """Who may answer: those among whom `routing` chooses, then the others in their order."""

    routing: Routing
    first: tuple[Candidate, ...]
    then: tuple[Candidate, ...]


class Catalogue:
    """The models of one route."""

    def __init__(self, route: AiRoute, providers: Mapping[str, Provider]) -> None:
        self._route = route
        self._providers = {name: providers[name] for name in route.services}
        self._kept = {name: lines_for(provider) for name, provider in self._providers.items()}
        self._known: dict[str, Plan | None] = {}

    def plan(self, model: str) -> Plan | None:
        """Who may answer for a model of this name; None when there is none."""
        known = self._known
        if model in known:
            return known[model]
        if NAME.fullmatch(model) is None:
            return None
        if len(known) >= KNOWN_MAX:
            known.clear()
        found = known[model] = self._plan(model)
        return found

    def _plan(self, model: str) -> Plan | None:
        meant = self._route.models.get(model)
        to = meant.to if meant is not None and meant.to else (model,)
        first = list(_distinct(candidate for name in to for candidate in self._named(name)))
        names = meant.fallback if meant is not None else ()
        then = list(_distinct(candidate for name in names for candidate in self._named(name)))
        then = [candidate for candidate in then if candidate not in first]
        if not first and not then:
            return None
        routing = (meant.routing if meant is not None else None) or self._route.routing
        return Plan(routing, tuple(first), tuple(then))

    def _named(self, name: str) -> Iterator[Candidate]:
        """`service/model`, or `model` of every service that has it: the services in their order."""
        service, slash, model = name.partition("/")
        if slash and service in self._providers and (found := self._of(service, model)) is not None:
            yield found
            return
        for service in self._providers:
            if (found := self._of(service, name)) is not None:
                yield found

    def _of(self, service: str, model: str) -> Candidate | None:
        provider = self._providers[service]
        entry = entry_for(model, provider.models)
        if entry is None:
            return None
        settings = provider.models[entry]
        prices = _prices(settings.price)
        return Candidate(service, provider, settings.name or model, entry, settings, prices, self._kept[service])

    def names(self) -> list[tuple[str, str]]:
        """(name, service) of everything that can be asked for by name: patterns have none."""
        found: dict[str, str] = {}
        for name in self._route.models:
            plan = self.plan(name)
            if plan is not None:
                found[name] = (plan.first or plan.then)[0].service
        for service, provider in self._providers.items():
            for name in provider.models:
                if "*" not in name:
                    found.setdefault(name, service)
        return sorted(found.items())


def entry_for(model: str, names: Iterable[str]) -> str | None:
    """Which of these names or patterns is meant: the very name, else the longest pattern that fits."""
    fitting = [name for name in names if name == model or fits(model, name)]
    return max(fitting, key=lambda name: (name == model, len(name)), default=None)


def fits(model: str, pattern: str) -> bool:
    """Whether a name is meant by a name or a pattern; `*` stands for anything, also nothing."""
    before, star, after = pattern.partition("*")
    if not star:
        return model == pattern
    return len(model) >= len(before) + len(after) and model.startswith(before) and model.endswith(after)


def allowed(model: str, patterns: Sequence[str]) -> bool:
    """Whether somebody with this allow list may ask for it."""
    return any(fits(model, pattern) for pattern in patterns)


def _prices(price: Price | None) -> Prices | None:
    return None if price is None else Prices(price.input, price.output, price.cached, price.cache_written)


def _distinct(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    seen: set[tuple[str, str]] = set()
    for candidate in candidates:
        key = candidate.service, candidate.model
        if key not in seen:
            seen.add(key)
            yield candidate
