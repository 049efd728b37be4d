"""What a running foregate takes over from a changed configuration, and what only a restart can change. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import BaseModel

from foregate.app.config.compile import compile_objectives, named_routes
from foregate.app.config.problems import Path
from foregate.app.config.schema import Config

# Sockets, the store of the limits and what events bear are settled when a worker starts: changed later they would
# hold for those workers alone that have been restarted since.
FIXED = ("listen", "org", "environment", "region", "cloud", "clients", "limits", "drain_s")
# Read by courier, analyzer and console when they start; the gateway's part of the same change is put in force.
LATER = ("alerts", "predict", "telemetry")
# … but for who may send telemetry, which running ingest processes follow.
FOLLOWED = ("telemetry", "ingest_keys")
SENTENCE = "cannot change while foregate runs: put it back, or restart foregate"


def fixed_changes(before: Config, after: Config) -> list[Path]:
    """The keys for which a reload must be refused."""
    return [path for name in FIXED for path in _changed(getattr(before, name), getattr(after, name), (name,))]


def later_changes(before: Config, after: Config) -> list[Path]:
    """The keys whose change waits for a restart."""
    found = [path for name in LATER for path in _changed(getattr(before, name), getattr(after, name), (name,))]
    objectives = compile_objectives(before).routes
    found += [
        ("routes", index, "objective")
        for index, (name, route) in enumerate(named_routes(after))
        if route.objective != objectives.get(name)
    ]
    follows = bool(before.telemetry.ingest_keys)  # otherwise there is no process that could
    return [path for path in found if not (follows and path == FOLLOWED)]


def _changed(before: Any, after: Any, path: Path) -> Iterator[Path]:
    if before == after:
        return
    names: tuple[str, ...] = ()
    if isinstance(before, BaseModel):
        names = tuple(type(before).model_fields)
    elif isinstance(before, msgspec.Struct):
        names = before.__struct_fields__
    if not names:
        yield path
    for name in names:
        if getattr(before, name) != getattr(after, name):
            yield (*path, name)
