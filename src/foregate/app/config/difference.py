"""What two configurations do differently, as a person would say it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from foregate.app.config.shown import shown
from foregate.wire.snapshot import Key, Service, Snapshot

_PARTS = ("services", "routes", "plans", "keys")
_GENERAL = (
    "listeners",
    "policies",
    "trusted_proxies",
    "metrics_to",
    "clients",
    "limits_url",
    "limits_fail_open",
    "org",
    "environment",
    "drain_s",
    "abuse",
    "cache",
)


class Change(NamedTuple):
    """`what` is "route /orders"; `details` say what is different about something that is in both."""

    how: Literal["added", "removed", "changed"]
    what: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        sign = {"added": "+", "removed": "-", "changed": "~"}[self.how]
        return "\n".join([f"{sign} {self.what}", *(f"    {detail}" for detail in self.details)])


def differences(before: Snapshot, after: Snapshot, environment: Mapping[str, str]) -> list[Change]:
    """`environment`: the values that came from it, which are not to be shown."""
    changes = [*_general(before, after, environment)]
    for part in _PARTS:
        changes += _named(part[:-1], getattr(before, part), getattr(after, part), environment)
    first, second = ([route.name for route in snapshot.routes] for snapshot in (before, after))
    common = set(first) & set(second)
    if [name for name in first if name in common] != [name for name in second if name in common]:
        changes.append(Change("changed", "order of routes", ("it decides between rules that are otherwise equal",)))
    return changes


def _general(before: Snapshot, after: Snapshot, environment: Mapping[str, str]) -> Iterator[Change]:
    for name in _GENERAL:
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            yield Change("changed", name, tuple(_details(one, other, environment)))


def _named(kind: str, before: Sequence[Any], after: Sequence[Any], environment: Mapping[str, str]) -> Iterator[Change]:
    old, new = ({item.name: item for item in items} for items in (before, after))
    for name in new.keys() - old.keys():
        yield Change("added", f"{kind} {name}")
    for name in old.keys() - new.keys():
        yield Change("removed", f"{kind} {name}")
    for name, one in old.items():
        other = new.get(name)
        if other is not None and one != other:
            details = [*_targets(one, other), *_details(_plain(one), _plain(other), environment)]
            yield Change("changed", f"{kind} {name}", tuple(details))


def _plain(item: Any) -> Any:
    """A thing without what is said of it otherwise."""
    if isinstance(item, Service):
        fields = item.__struct_fields__
        return {name: getattr(item, name) for name in fields if name not in ("name", "targets")}
    if isinstance(item, Key):
        return {"hash": item.hash, "org": item.org, "plan": item.plan, "policies": item.policies}
    return item


def _targets(before: Any, after: Any) -> Iterator[str]:
    """Targets are a set of addresses with settings."""
    if not isinstance(before, Service):
        return
    old, new = ({target.url: target for target in service.targets} for service in (before, after))
    yield from (f"target {url} added" for url in new if url not in old)
    yield from (f"target {url} removed" for url in old if url not in new)
    for url, target in old.items():
        for name in ("weight", "zone"):
            if url in new and getattr(target, name) != getattr(new[url], name):
                yield f"target {url}: {name}: {getattr(target, name)} → {getattr(new[url], name)}"


def _details(before: Any, after: Any, environment: Mapping[str, str]) -> Iterator[str]:
    real: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    said: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for number, value in enumerate((before, after)):
        _flatten(shown(value, {}), "", real[number])
        _flatten(shown(value, environment), "", said[number])
    paths = [path for path in dict.fromkeys([*real[0], *real[1]]) if real[0].get(path) != real[1].get(path)]
    for path in paths:
        if path.rpartition(".")[2] == "hash":
            yield f"{path}: another secret"
        else:
            yield f"{path or 'value'}: {_word(said[0].get(path))} → {_word(said[1].get(path))}"
    if not paths and before != after:  # only in what is not shown
        yield "another secret"


def _flatten(value: Any, path: str, into: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            _flatten(each, f"{path}.{key}" if path else key, into)
    elif isinstance(value, list) and value and all(isinstance(each, dict) and "name" in each for each in value):
        for each in value:
            _flatten({key: part for key, part in each.items() if key != "name"}, f"{path}[{each['name']}]", into)
    else:
        into[path] = value


def _word(value: Any) -> str:
    return "(default)" if value is None else str(value)
