"""GET /v1/models: what whoever asks may ask for, in OpenAI's words or Anthropic's. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_encode = msgspec.json.Encoder().encode
_EPOCH = "1970-01-01T00:00:00Z"  # when a model was made is the provider's secret; both APIs want to be told


def render(names: Sequence[tuple[str, str]], one: str, anthropic: bool) -> bytes | None:
    """`names`: (name, service). `one`: only the model of this name, None when there is none; "": all of them."""
    models = [_anthropic(name) if anthropic else _openai(name, service) for name, service in names]
    if one:
        return next((_encode(model) for model in models if model["id"] == one), None)
    if anthropic:
        first, last = (names[0][0], names[-1][0]) if names else (None, None)
        return _encode({"data": models, "has_more": False, "first_id": first, "last_id": last})
    return _encode({"object": "list", "data": models})


def _openai(name: str, service: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": service}


def _anthropic(name: str) -> dict[str, object]:
    return {"type": "model", "id": name, "display_name": name, "created_at": _EPOCH}
