"""Policies that others have written: found by their entry points, only those that a configuration names."""

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from foregate.gateway.policies.policy import Policy
from foregate.wire.policies import Extension, Policies
from foregate.wire.snapshot import Snapshot

GROUP = "foregate.policies"


class MissingExtension(Exception):
    """A configuration names a policy that is not installed, cannot be imported or does not take its settings."""


def extensions_of(snapshot: Snapshot) -> dict[str, Callable[[dict[str, Any]], Policy]]:
    """How each extension of the snapshot is made. Raises MissingExtension, also for settings that do not fit."""
    found: dict[str, Callable[[dict[str, Any]], Policy]] = {}
    for extension in named(snapshot):
        if extension.name not in found:
            found[extension.name] = maker(extension.name)
        found[extension.name](extension.settings)
    return found


def named(snapshot: Snapshot) -> Iterator[Extension]:
    """Every extension in a snapshot, wherever it is set."""
    places: list[Policies] = [snapshot.policies]
    for part in (snapshot.services, snapshot.routes, snapshot.plans, snapshot.keys):
        places += [place.policies for place in part]
    for policies in places:
        yield from policies.extensions


def maker(name: str) -> Callable[[dict[str, Any]], Policy]:
    """What makes the policy of this name from its settings. Raises MissingExtension."""
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        installed = ", ".join(sorted(known)) or "none"
        raise MissingExtension(f'there is no policy "{name}" under the entry points {GROUP} (installed: {installed})')
    kind = _load(known[name])
    settings_type = getattr(kind, "Settings", None)

    def make(settings: dict[str, Any]) -> Policy:
        try:
            given = msgspec.convert(settings, settings_type) if settings_type is not None else settings
            made = kind(given)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise MissingExtension(f'the policy "{name}" does not take its settings: {error}') from error
        made.name = made.name or name
        return made

    return make


def _load(point: EntryPoint) -> Callable[[Any], Policy]:
    try:
        kind: Callable[[Any], Policy] = point.load()
    except Exception as error:  # what somebody else's module may raise cannot be known
        raise MissingExtension(f'the policy "{point.name}" cannot be imported: {error!r}') from error
    return kind
