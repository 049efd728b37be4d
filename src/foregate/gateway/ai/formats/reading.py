"""Reading JSON that others wrote: requests of clients with good sentences, answers of providers with none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from foregate.gateway.ai.formats.format import BadRequest, Document, Malformed
from foregate.gateway.ai.tokens import estimate

T = TypeVar("T")
_decode = msgspec.json.Decoder().decode
VALUES_MAX = 500_000  # of a request, about as many as its commas and brackets: more are read for seconds
write_json = msgspec.json.Encoder().encode


def read_object(body: bytes) -> Document:
    """The JSON object of a request, with a model's name in it."""
    if len(body) > VALUES_MAX and sum(map(body.count, (b",", b"{", b"["))) > VALUES_MAX:
        raise BadRequest(f"The body has more than {VALUES_MAX:,} commas and brackets.")
    try:
        document = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise BadRequest("The body must be a JSON object.")
    model = document.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest("`model` must name a model.", "model")
    return document


def flag(document: Document, name: str) -> bool:
    value = document.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BadRequest(f"`{name}` must be true or false.", name)


def count(document: Document, name: str, at_least: int = 1) -> int | None:
    """A whole number, or None where there is none."""
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value < 1 << 31:
        raise BadRequest(f"`{name}` must be a whole number of at least {at_least}.", name)
    return value


def items(document: Document, name: str) -> list[Any]:
    """A list that must not be empty."""
    value = document.get(name)
    if isinstance(value, list) and value:
        return value
    raise BadRequest(f"`{name}` must be a list with at least one item.", name)


def words(names: str) -> frozenset[str]:
    return frozenset(names.split())


def only(
    said: Document, known: frozenset[str], neutral: Mapping[str, tuple[Any, ...]], vendor: str, at: str = ""
) -> None:
    """Refuse by name what has no counterpart at the provider, unless its value changes nothing."""
    for name, value in said.items():
        if value is None or name in known or (name in neutral and value in neutral[name]):
            continue
        param = f"{at}.{name}" if at else name
        raise BadRequest(f"`{param}` cannot be translated for {vendor}, which answers for this model.", param)


def object_at(value: Any, at: str) -> Document:
    if isinstance(value, dict):
        return value
    raise BadRequest(f"`{at}` must be an object.", at)


def text_at(value: Any, at: str) -> str:
    if isinstance(value, str):
        return value
    raise BadRequest(f"`{at}` must be a text.", at)


def texts_at(value: Any, at: str) -> list[str]:
    """A text, or a list of texts."""
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        return texts
    raise BadRequest(f"`{at}` must be a text or a list of texts.", at)


def chosen(value: Any, among: Mapping[str, T], at: str, vendor: str) -> T:
    """What one of several words becomes."""
    if isinstance(value, str) and value in among:
        return among[value]
    raise BadRequest(
        f"`{at}` of this kind cannot be translated for {vendor}; it must be one of {', '.join(among)}.", at
    )


def parts_at(value: Any, at: str) -> list[tuple[str, Document]]:
    """Content, which is a text or a list of parts: each part with its place."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [(at, {"type": "text", "text": value})]
    if not isinstance(value, list):
        raise BadRequest(f"`{at}` must be a text or a list.", at)
    return [(f"{at}[{n}]", object_at(part, f"{at}[{n}]")) for n, part in enumerate(value)]


def json_tokens(value: Any) -> int:
    """An estimate of the tokens of a value that the provider reads as JSON: a tool's definition, a call's arguments."""
    if not value:
        return 0
    try:
        return estimate(write_json(value).decode())
    except RecursionError:  # at the edge of what can be read: it cannot be written for a provider, which refuses it
        return 0


def write_request(document: Document) -> bytes:
    """The body of a request for a provider."""
    try:
        return write_json(document)
    except (OverflowError, msgspec.EncodeError, ValueError, RecursionError) as error:
        raise BadRequest(f"The body cannot be written as JSON again: {error}.") from None


def read_answer(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """A provider's whole answer. Raises Malformed."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the provider's answer cannot be read: {error}") from None
