"""Settings as a person may see them: in the words of foregate.yaml, and never a secret."""

from collections.abc import Mapping
from typing import Any

import msgspec

from foregate.app.config.forms import show_rate
from foregate.wire.ai import Provider
from foregate.wire.policies import Hmac, Rate

HIDDEN = "(secret)"
_PARTS_CHARS_MIN = 6  # a shorter value from the environment is hidden where it stands alone, not inside other text


def shown(value: Any, environment: Mapping[str, str]) -> Any:
    """Plain data. `environment`: values that came from it → how they may be shown (`Document.environment`)."""
    if isinstance(value, Rate):
        return show_rate(value)
    if isinstance(value, Hmac):
        return {"secrets": dict.fromkeys(value.secrets, HIDDEN)} | {
            name: shown(getattr(value, name), environment) for name in _changed(value) if name != "secrets"
        }
    if isinstance(value, Provider):
        key = {"key": HIDDEN} if value.key else {}
        return key | {name: shown(getattr(value, name), environment) for name in _changed(value) if name != "key"}
    if isinstance(value, msgspec.Struct):
        return {name: shown(getattr(value, name), environment) for name in _changed(value)}
    if isinstance(value, Mapping):
        return {str(key): shown(each, environment) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each, environment) for each in value]
    return _hidden(value, environment) if isinstance(value, str) else value


def _changed(struct: msgspec.Struct) -> list[str]:
    """The fields that do not have their defaults."""
    return [
        field.name
        for field in msgspec.structs.fields(type(struct))
        if field.required or getattr(struct, field.name) != _default(field)
    ]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default


def _hidden(text: str, environment: Mapping[str, str]) -> str:
    if text in environment:
        return environment[text]
    for secret, name in environment.items():
        if len(secret) >= _PARTS_CHARS_MIN and secret in text:
            text = text.replace(secret, name)
    return text
