"""Validate a document whole, and say every problem in the words of its author."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as File
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from foregate.app.config.document import Document, read_document
from foregate.app.config.problems import ConfigRefused, Path, Problem, did_you_mean, dotted
from foregate.app.config.schema import Config


@dataclass(frozen=True)
class Loaded:
    """A valid configuration, and the document it came from (for messages about places)."""

    config: Config
    document: Document

    def refuse(self, path: Path, sentence: str) -> ConfigRefused:
        """A refusal that names the place of `path`."""
        return ConfigRefused([Problem(self.document.place(path), dotted(path), sentence)])


def load(file: File | None, environ: Mapping[str, str]) -> Loaded:
    """Read and validate. Raises ConfigRefused listing every problem that was found."""
    document = read_document(file, environ)
    try:
        config = Config.model_validate(document.data)
    except ValidationError as error:
        raise ConfigRefused([_problem(document, details) for details in error.errors()]) from None
    problems = list(_contradictions(config, document))
    if problems:
        raise ConfigRefused(problems)
    return Loaded(config, document)


def _problem(document: Document, details: ErrorDetails) -> Problem:
    path: Path = details["loc"]
    if path and path[-1] == "[key]":  # pydantic's mark for a bad name in a mapping
        path = path[:-1]
    kind = details["type"]
    if kind == "extra_forbidden":
        sentence = f"is not a key here{_advice(path)}"
    elif kind == "missing":
        sentence = "is needed"
    elif kind == "value_error":
        sentence = str(details["ctx"]["error"])
    else:
        message = details["msg"].removeprefix("Input ")
        sentence = f"{message[0].lower()}{message[1:]} (it is {_shown(path, details['input'])})"
    return Problem(document.place(path), dotted(path), sentence)


def _shown(path: Path, value: Any) -> str:
    """A value fit for a message: secrets are never shown, long ones are cut."""
    if path and path[-1] in {"secret", "hash"}:
        return "not shown: a secret"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _advice(path: Path) -> str:
    """Where the unknown key at `path` was probably meant to go."""
    name = str(path[-1])
    model = _model_at(path[:-1])
    if model is not None and (hint := did_you_mean(name, model.model_fields)):
        return hint
    homes = sorted({home for home, fields in _homes() if name in fields})
    if homes:
        return f" — it belongs under {' or '.join(homes)}"
    known = ", ".join(sorted(model.model_fields)) if model is not None else ""
    return f" (known here: {known})" if known else ""


def _model_at(path: Path) -> type[BaseModel] | None:
    here: Any = Config
    for part in path:
        here = _models_in(here.model_fields[part].annotation) if _is_model(here) and part in here.model_fields else here
    return here if _is_model(here) else None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _models_in(kind: Any) -> Any:
    """The model inside `list[X]`, `dict[str, X]`, `X | None` or `Annotated[X, …]`; None when there is none."""
    if _is_model(kind):
        return kind
    if get_origin(kind) in {list, dict, Union, UnionType, Annotated}:
        for inner in get_args(kind):
            if (found := _models_in(inner)) is not None:
                return found
    return None


def _homes(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """Every place of the schema, as people write it, with the keys it takes."""
    yield prefix or "the top level", frozenset(model.model_fields)
    for name, info in model.model_fields.items():
        inner = _models_in(info.annotation)
        if inner is not None:
            origin = get_origin(info.annotation)
            step = f"{name}[]" if origin is list else f"{name}.<name>" if origin is dict else name
            yield from _homes(inner, f"{prefix}.{step}" if prefix else step)


def _contradictions(config: Config, document: Document) -> Iterator[Problem]:
    """What each part alone allows but the whole does not."""

    def problem(path: Path, sentence: str) -> Problem:
        return Problem(document.place(path), dotted(path), sentence)

    seen_paths: dict[str, int] = {}
    for index, route in enumerate(config.routes):
        if route.service not in config.services:
            hint = did_you_mean(route.service, config.services)
            yield problem(("routes", index, "service"), f'there is no service "{route.service}"{hint}')
        if route.path in seen_paths:
            yield problem(("routes", index, "path"), f"is the path of routes[{seen_paths[route.path]}] already")
        seen_paths.setdefault(route.path, index)
        if route.rate_limit is not None and route.auth == "none":
            sentence = "counts per key, but auth is none: no request here has a key"
            yield problem(("routes", index, "rate_limit"), sentence)
    seen_names: dict[str, int] = {}
    for index, key in enumerate(config.keys):
        if key.name in seen_names:
            yield problem(("keys", index, "name"), f"is the name of keys[{seen_names[key.name]}] already")
        seen_names.setdefault(key.name, index)
        path: Path = ("keys", index, "secret")
        if key.secret is not None and path not in document.from_environment:
            yield problem(path, "must not stand in the file: write ${env:NAME}, or hash from `foregate keys hash`")
