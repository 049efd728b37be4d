"""Write web/src/api/types.ts from our own OpenAPI document: `python web/tools/generate_types.py [--check]`.

Knows as much of JSON Schema as the document uses, and fails on anything else rather than guess.
"""

import sys
from pathlib import Path
from typing import Any, cast

from foregate.control import ControlDeps, create_app
from foregate.kernel.clock import SystemClock

TARGET = Path(__file__).parents[1] / "src" / "api" / "types.ts"
HEADER = "// Made by web/tools/generate_types.py from /api/v1/openapi.json. Do not edit; run `npm run generate`.\n"
PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}


def document() -> dict[str, Any]:
    """The OpenAPI document. Nothing is asked of the parts that an application would really have."""
    nothing = cast(Any, None)
    deps = ControlDeps(
        telemetry=nothing,
        findings=nothing,
        clock=SystemClock(),
        snapshot=nothing,
        console_token="",
        threshold=0.8,
        log=nothing,
        version="1",
    )
    return create_app(deps).openapi()


def typescript(schemas: dict[str, Any]) -> str:
    """One exported type per schema, in alphabetical order."""
    return HEADER + "".join(
        f"\n{comment(schema)}export type {name} = {of(schema)};\n" for name, schema in sorted(schemas.items())
    )


def of(schema: dict[str, Any], indent: str = "") -> str:
    """The TypeScript type of one schema."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " | ".join(f'"{value}"' for value in values)
    if "anyOf" in schema:
        return " | ".join(of(option, indent) for option in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        item = of(schema["items"], indent)
        return f"({item})[]" if "|" in item else f"{item}[]"
    if kind == "object":
        return of_object(schema, indent)
    if kind in PLAIN:
        return PLAIN[kind]
    raise ValueError(f"no TypeScript type for {schema}")


def of_object(schema: dict[str, Any], indent: str) -> str:
    if "properties" not in schema:
        more = schema.get("additionalProperties", True)
        return f"Record<string, {'unknown' if more is True else of(more, indent)}>"
    required = set(schema.get("required", ()))
    lines = [
        f"{indent}  {name}{'' if name in required else '?'}: {of(value, indent + '  ')};"
        for name, value in schema["properties"].items()
    ]
    return "{\n" + "\n".join(lines) + f"\n{indent}}}"


def comment(schema: dict[str, Any]) -> str:
    text = " ".join(str(schema.get("description", "")).split())
    return f"/** {text} */\n" if text else ""


def main() -> int:
    text = typescript(document()["components"]["schemas"])
    if "--check" not in sys.argv:
        TARGET.write_text(text)
        return 0
    if TARGET.read_text() == text:
        return 0
    sys.stderr.write(f"{TARGET} is not what the API says now: run `npm --prefix web run generate`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
