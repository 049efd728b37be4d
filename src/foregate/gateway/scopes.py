"""Which of the policies set here and there hold for a request: the most specific place wins. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from foregate.wire.policies import JOINED, Policies

_FIELDS = tuple(field for field in Policies.__struct_fields__ if field not in JOINED)


class Set(NamedTuple):
    """A policy's settings and where they come from: "", "service:…", "route:…", "plan:<name>" or "key:<id>"."""

    scope: str
    settings: Any


class Resolved(NamedTuple):
    """`one` holds at most one of each policy; `many` all entries of those that are joined, in order of their names."""

    one: Mapping[str, Set]
    many: Mapping[str, tuple[Set, ...]]


def without_route(general: Policies) -> Policies:
    """Which of the global policies a request meets that no route takes: those that go by its address and its form."""
    by_address = tuple(limit for limit in general.rate_limits if limit.by == "ip")
    return Policies(ip_filter=general.ip_filter, bounds=general.bounds, rate_limits=by_address)


def resolve(places: Sequence[tuple[str, Policies]]) -> Resolved:
    """`places` from the most general to the most specific."""
    one: dict[str, Set] = {}
    many: dict[str, dict[str, Set]] = {field: {} for field in JOINED}
    for scope, policies in places:
        for field in _FIELDS:
            settings = getattr(policies, field)
            if settings is not None:
                one[field] = Set(scope, settings)
        for field, entries in many.items():
            for entry in getattr(policies, field):
                entries[entry.name] = Set(scope, entry)
    return Resolved(one, {field: tuple(entries.values()) for field, entries in many.items()})
