"""The reference of foregate.yaml, made from its schema: docs/reference/configuration.md."""

from collections.abc import Iterator
from typing import Any

from foregate.app.config.forms import WRITTEN
from foregate.app.config.schema import Config
from foregate.wire.policies import SCOPES

_HEAD = """\
# Reference: every key of foregate.yaml

Made from the schema by `foregate config reference`; a test holds it fresh. [The guide](../guides/configuration.md)
explains how the parts fit together. Rates are written `100/s`, `600/m`, `5000/h` or `100/10s`; times are seconds.
"""
_EVERYWHERE = ("global", "service", "route", "plan", "key")
_PLACES = {"global": "the top level", "service": "a service", "route": "a route", "plan": "a plan", "key": "a key"}


def reference() -> str:
    """The whole page."""
    schema = Config.model_json_schema()
    definitions: dict[str, Any] = schema.get("$defs", {})
    parts = [_HEAD, *_section("The top level", schema, definitions)]
    policies = next(value for name, value in definitions.items() if "circuit_breaker" in value.get("properties", {}))
    parts += ["\n## Policies\n", "| policy | may be set on | |", "|---|---|---|"]
    for name, value in policies["properties"].items():
        scopes = SCOPES.get(name, _EVERYWHERE)
        places = "everywhere" if scopes == _EVERYWHERE else ", ".join(_PLACES[scope] for scope in scopes)
        parts.append(f"| `{name}` | {places} | {_link(value, definitions)} |")
    for name in sorted(definitions):
        if "properties" in definitions[name] and "circuit_breaker" not in definitions[name]["properties"]:
            parts += ["", *_section(_title(name), definitions[name], definitions)]
    return "\n".join(parts) + "\n"


def _section(title: str, schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    yield f"\n## {title}\n" if title == "The top level" else f"## {title}\n"
    if schema.get("description"):
        yield f"{' '.join(schema['description'].split())}\n"
    yield "| key | default | |"
    yield "|---|---|---|"
    needed = set(schema.get("required", ()))
    for name, value in schema["properties"].items():
        default = "(needed)" if name in needed else _default(value)
        parts = (_link(value, definitions), _bounds(value), value.get("description", ""))
        said = "; ".join(dict.fromkeys(filter(None, parts)))
        yield f"| `{name}` | {default} | {_cell(said)} |"


def _title(name: str) -> str:
    return name.rpartition("__")[2]


def _default(value: dict[str, Any]) -> str:
    found = value.get("default")
    if found is None or found in ("", []) or isinstance(found, dict):
        return ""
    if isinstance(found, list):
        found = ", ".join(map(str, found))
    return f"`{_cell(str(found).lower() if isinstance(found, bool) else str(found))}`"


def _link(value: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What kind of value, in words; a link where it is a mapping of its own."""
    if "$ref" in value:
        return _of(value["$ref"].rpartition("/")[2], definitions)
    for several in ("anyOf", "oneOf"):
        if several in value:
            kinds = [_link(each, definitions) for each in value[several] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    kind = value.get("type", "anything")
    if kind == "array":
        return f"list of {_link(value.get('items', {}), definitions)}"
    if kind == "object":
        inside = value.get("additionalProperties")
        return f"by name: {_link(inside, definitions)}" if isinstance(inside, dict) else "mapping"
    if kind == "string" and value.get("description") in WRITTEN.values():
        return str(value["description"])
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, str(kind))


def _of(name: str, definitions: dict[str, Any]) -> str:
    if "circuit_breaker" in definitions[name].get("properties", {}):
        return "[policies](#policies)"
    return f"[{_title(name)}](#{_title(name).lower()})"


def _bounds(value: dict[str, Any]) -> str:
    """The bounds of a number or a text."""
    parts = [value, *value.get("anyOf", ())]
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {part[name]:g}" for part in parts for name, sign in signs.items() if name in part]
    return ", ".join(found)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
