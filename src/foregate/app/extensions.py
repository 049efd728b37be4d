"""Policies that others have written: found by their entry points, only those that a configuration names."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import invalidate_caches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from foregate.gateway.policies.absent import AbsentPolicy
from foregate.gateway.policies.policy import Policy
from foregate.wire.policies import Extension, Policies
from foregate.wire.snapshot import Snapshot

GROUP = "foregate.policies"


class MissingExtension(Exception):
    """A configuration names a policy that is not installed, cannot be imported or does not take its settings."""


def extensions_of(snapshot: Snapshot) -> dict[str, Callable[[dict[str, Any]], Policy]]:
    """How each extension of the snapshot is made. Raises MissingExtension, also for settings that do not fit."""
    found, missing = present_extensions_of(snapshot)
    for error in missing.values():
        raise error
    return found


def present_extensions_of(
    snapshot: Snapshot,
) -> tuple[dict[str, Callable[[dict[str, Any]], Policy]], dict[str, MissingExtension]]:
    """Likewise, and what is wrong with those that cannot be had, by name.

    These are made too: as policies that refuse every request, so that nothing passes unguarded.
    """
    found: dict[str, Callable[[dict[str, Any]], Policy]] = {}
    missing: dict[str, MissingExtension] = {}
    for extension in named(snapshot):
        try:
            if extension.name not in found:
                found[extension.name] = maker(extension.name)
            found[extension.name](extension.settings)
        except MissingExtension as error:
            missing.setdefault(extension.name, error)
            found[extension.name] = partial(_absent, extension.name)
    return found, missing


def _absent(name: str, _settings: dict[str, Any]) -> Policy:
    return AbsentPolicy(name)


def named(snapshot: Snapshot) -> Iterator[Extension]:
    """Every extension in a snapshot, wherever it is set."""
    places: list[Policies] = [snapshot.policies]
    for part in (snapshot.services, snapshot.routes, snapshot.plans, snapshot.keys):
        places += [place.policies for place in part]
    for policies in places:
        yield from policies.extensions


def maker(name: str) -> Callable[[dict[str, Any]], Policy]:
    """What makes the policy of this name from its settings. Raises MissingExtension."""
    invalidate_caches()  # it may have been installed a moment ago, into a folder that was listed before
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
        except Exception as error:  # what somebody else's code may raise cannot be known
            raise MissingExtension(f'the policy "{name}" cannot be made: {error!r}') from error
        made.name = made.name or name
        return made

    return make


def _load(point: EntryPoint) -> Callable[[Any], Policy]:
    try:
        kind: Callable[[Any], Policy] = point.load()
    except Exception as error:  # what somebody else's module may raise cannot be known
        raise MissingExtension(f'the policy "{point.name}" cannot be imported: {error!r}') from error
    return kind
