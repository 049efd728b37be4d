"""Pydantic models made from the settings structs of `wire`: said once there, validated here, with our words.

`Derived()` in an annotation makes pydantic read a `msgspec.Struct`: unknown keys are refused, bounds and forms of the
annotations hold, `problem()` is asked, and the value is the struct itself. `model_of` gives the model behind it, for
messages that must know which keys there are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from foregate.app.config import forms

S = TypeVar("S", bound=msgspec.Struct)
_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern", "title", "description")


@dataclass(frozen=True)
class Derived:
    """Marks a struct that people may write. `without`: fields that this place does not take."""

    without: frozenset[str] = frozenset()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def made(model: BaseModel) -> Any:
            return struct_from(source, model)

        return core_schema.no_info_after_validator_function(made, handler.generate_schema(model_of(source, self)))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema)


DERIVED = Derived()


def struct_from(struct: type[S], model: BaseModel) -> S:
    """The struct with what was given; the rest has its defaults. Raises ValueError with what does not fit together."""
    found = struct(**{name: getattr(model, name) for name in model.model_fields_set})
    problem = getattr(found, "problem", lambda: None)()
    if problem is not None:
        raise ValueError(problem)
    return found


@cache
def model_of(struct: type[msgspec.Struct], mark: Derived = DERIVED) -> type[BaseModel]:
    """The pydantic model of a settings struct."""
    hints = get_type_hints(struct, include_extras=True)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if field.name not in mark.without:
            fields[field.name] = (_readable(hints[field.name]), _default(field))
    return create_model(
        struct.__name__,
        __config__=ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()),
        __doc__=struct.__doc__,
        **fields,
    )


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        value = field.default
        return Field(default_factory=lambda: value) if isinstance(value, msgspec.Struct) else value
    if field.default_factory is not msgspec.NODEFAULT:
        return Field(default_factory=field.default_factory)
    return ...


def _readable(kind: Any) -> Any:
    """What pydantic is to read for a type of `wire`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin in (Union, UnionType):
        return Union[tuple(_readable(each) for each in arguments)]  # noqa: UP007 - of a computed tuple
    if origin is tuple:
        return tuple[_readable(arguments[0]), ...]  # type: ignore[misc]
    if origin is dict:
        found: Any = dict[_key(arguments), _readable(arguments[1])]  # type: ignore[misc]
        return Annotated[found, BeforeValidator(forms.once)] if _form(arguments[0]) == "header_name" else found
    if kind is Any:
        return Annotated[Any, AfterValidator(_plain)]
    if origin is Literal or kind is NoneType:
        return kind
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return Annotated[kind, DERIVED]
    return kind


def _annotated(kind: Any, metas: Sequence[Any]) -> Any:
    """A type with the bounds and the form that its annotations say."""
    found = _readable(kind)
    for meta in metas:
        form = (meta.extra or {}).get("form", "")
        if form in forms.INSTEAD:
            schema = WithJsonSchema({"type": "string", "description": forms.WRITTEN[form]})
            return Annotated[Any, PlainValidator(forms.INSTEAD[form]), schema]
        bounds = {name: value for name in _BOUNDS if (value := getattr(meta, name)) is not None}
        if "description" not in bounds and form in forms.WRITTEN:
            bounds["description"] = forms.WRITTEN[form]
        if bounds:
            found = Annotated[found, Field(**bounds)]
        if form in forms.BEFORE:
            found = Annotated[found, BeforeValidator(forms.BEFORE[form])]
        if form in forms.AFTER:
            found = Annotated[found, AfterValidator(forms.AFTER[form])]
    return found


def _key(arguments: tuple[Any, ...]) -> Any:
    """The type of a mapping's keys. A mapping from header names to values is one of fields to be written."""
    if _form(arguments[0]) == "header_name" and _form(arguments[1]) == "header_value":
        return Annotated[_readable(arguments[0]), AfterValidator(forms.header_to_set)]
    return _readable(arguments[0])


def _form(kind: Any) -> str | None:
    for meta in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
        if (form := (getattr(meta, "extra", None) or {}).get("form")) is not None:
            return str(form)
    return None


def _plain(value: Any) -> Any:
    """Free-form data as JSON has it, without our own kinds of text. Raises ValueError for what JSON has not."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"{value!r} is not a value of JSON: put it in quotes")
