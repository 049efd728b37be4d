"""JSON bodies must fit a JSON Schema (draft 2020-12), or are refused with what is wrong where.

A body that could be read in more than one way is not let through unchecked: one of another type or compressed is
refused, and so is JSON with a member twice, with NaN, with half of a surrogate pair, in another encoding than UTF-8 or
nested deeper than the checker goes. `$ref` reaches no other
document, and patterns run in linear time (no look-around, no back-references).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from foregate.gateway.policies.bodies import carries_body, not_plain_json
from foregate.gateway.policies.policy import Means, NeedBody, Place, Policy, Refuse
from foregate.wire.policies import BodySchema

if TYPE_CHECKING:
    from foregate.gateway.request import Request

ERRORS_MAX = 10  # told of one body
MESSAGE_CHARS_MAX = 200  # of one error; longer ones are cut
_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_TOO_DEEP = "The body is nested too deeply."
_MISSING = Refuse("body_invalid", "A JSON body is needed here.")


def compile_schema(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Raises ValueError when it is none, or refers to another document."""
    try:
        return jsonschema_rs.Draft202012Validator(
            dict(schema),
            mask="…",  # no body in our answers and logs
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise ValueError(f"not a JSON Schema: {error.message if hasattr(error, 'message') else error}") from None


def read(body: bytes) -> Any:
    """The document, as every reader would understand it. Raises ValueError with a sentence."""
    try:
        document = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
        if _SURROGATE.search(body):
            json.dumps(document, ensure_ascii=False).encode()
        return document
    except UnicodeEncodeError:
        raise ValueError("The body has text with half of a surrogate pair.") from None
    except UnicodeDecodeError:
        raise ValueError("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"The body is not JSON: {error.msg} at byte {error.pos}.") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("The body has an object with the same member twice.")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"The body is not JSON: {text} is no number.")


def errors_of(validator: jsonschema_rs.Draft202012Validator, document: Any) -> list[dict[str, str]]:
    """Up to ERRORS_MAX: a JSON Pointer (RFC 6901) and a sentence each."""
    found = []
    for error in validator.iter_errors(document):
        found.append({"path": _pointer(error.instance_path), "message": error.message[:MESSAGE_CHARS_MAX]})
        if len(found) == ERRORS_MAX:
            break
    return found


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1")[:MESSAGE_CHARS_MAX] for part in path)


class BodySchemaPolicy(Policy):
    """Compiled once."""

    name = "body_schema"

    def __init__(self, settings: BodySchema, means: Means, place: Place) -> None:
        self._validator = compile_schema(settings.json_schema)
        self._bytes_max = settings.body_bytes_max
        self._required = settings.required

    def admit(self, request: Request) -> Refuse | NeedBody | None:
        body = request.body
        if not body and (body is not None or not carries_body(request)):
            return _MISSING if self._required and request.method in _WITH_BODY else None
        if (refusal := not_plain_json(request)) is not None:
            return refusal
        if body is None:
            return NeedBody(self._bytes_max)
        try:
            document = read(body)
        except ValueError as error:
            return Refuse("body_invalid", str(error)[:MESSAGE_CHARS_MAX])
        try:
            if self._validator.is_valid(document):
                return None
            return Refuse("body_invalid", "", b"", {"errors": errors_of(self._validator, document)})
        except (ValueError, RecursionError):  # what the checker cannot take in: the rest of it `read` has refused
            return Refuse("body_invalid", _TOO_DEEP)
