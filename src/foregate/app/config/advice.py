"""Where an unknown key was probably meant to go."""

from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel

from foregate.app.config.derive import DERIVED, Derived, model_of
from foregate.app.config.problems import Path, did_you_mean, dotted
from foregate.app.config.schema import Config

MOVED = {  # keys of earlier versions
    "timeout_s": "policies.timeouts.attempt_s",
    "retry": "policies.retry",
    "circuit_breaker": "policies.circuit_breaker",
    "body_bytes_max": "policies.bounds.body_bytes_max",
    "rate_limit": "policies.rate_limits, which is a list",
}
_SURE = 0.75  # how near a word must be to go before a place that knows this very key
_HOMES_MAX = 3  # shown


def advice(path: Path) -> str:
    """What to say behind "is not a key here"."""
    name = str(path[-1])
    model = model_at(path[:-1])
    known = model.model_fields if model is not None else {}
    if name in MOVED and "policies" in known:
        return f" — it has moved to {MOVED[name]}"
    if "policies" in known and name in policy_names(model_at((*path[:-1], "policies"))):
        return f" — it belongs under {dotted((*path[:-1], 'policies'))}"
    if hint := did_you_mean(name, known, _SURE):
        return hint
    homes = _homes().get(name, ())
    if homes:
        more = " and elsewhere" if len(homes) > _HOMES_MAX else ""
        return f" — it belongs under {' or '.join(homes[:_HOMES_MAX])}{more}"
    if hint := did_you_mean(name, known):
        return hint
    return f" (known here: {', '.join(sorted(known))})" if known else ""


def policy_names(model: type[BaseModel] | None) -> frozenset[str]:
    """What may be set in a mapping of policies."""
    return frozenset(model.model_fields) if model is not None else frozenset()


def model_at(path: Path) -> type[BaseModel] | None:
    """The model of the mapping at `path`; None where there is none."""
    here: Any = Config
    inside = False  # of a list or a mapping by name, whose next step names an item
    for part in path:
        if inside:
            inside = False
            continue
        if not isinstance(part, str) or part not in here.model_fields:
            return None
        found = _inner(here.model_fields[part])
        if found is None:
            return None
        here, inside = found
    return here if not inside and isinstance(here, type) and issubclass(here, BaseModel) else None


def _inner(field: Any) -> tuple[type[BaseModel], bool] | None:
    """The model inside a field, and whether it is one of several there."""
    mark = next((each for each in field.metadata if isinstance(each, Derived)), DERIVED)
    return _model_in(field.annotation, mark)


def _model_in(kind: Any, mark: Derived = DERIVED) -> tuple[type[BaseModel], bool] | None:
    """The model inside `list[X]`, `tuple[X, ...]`, `dict[str, X]`, `X | None` or `Annotated[X, …]`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, False
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return model_of(kind, mark), False
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _model_in(arguments[0], next((each for each in arguments[1:] if isinstance(each, Derived)), mark))
    if origin in (list, tuple, dict, Union, UnionType):
        for inner in arguments:
            if (found := _model_in(inner, mark)) is not None:
                return found[0], found[1] or origin in (list, tuple, dict)
    return None


@cache
def _homes() -> dict[str, tuple[str, ...]]:
    """Key → the places that take it, as people write them; those within policies said once."""
    found: dict[str, list[str]] = {}
    for home, names in _places(Config, ""):
        for name in names:
            found.setdefault(name, [])
            if home not in found[name]:
                found[name].append(home)
    return {name: tuple(homes) for name, homes in found.items()}


def _places(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield prefix or "the top level", tuple(model.model_fields)
    for name, field in model.model_fields.items():
        found = _inner(field)
        if found is None:
            continue
        inner, several = found
        step = name
        if several:
            step = f"{name}.<name>" if get_origin(field.annotation) is dict else f"{name}[]"
        here = f"{prefix}.{step}" if prefix else step
        _, policies, after = here.partition("policies.")
        yield from _places(inner, policies + after if policies else here)
