"""What PostgreSQL's types cannot hold, as the nearest that they can: one such value must not stop the others."""

from collections.abc import Sequence
from typing import Any

_INTEGER_MAX = (1 << 63) - 1


def text(value: str) -> str:
    """No text holds a NUL there: it becomes U+FFFD."""
    return value.replace("\0", "\ufffd") if "\0" in value else value


def integer(value: int) -> int:
    """Within 64 bits."""
    return value if -_INTEGER_MAX <= value <= _INTEGER_MAX else max(-_INTEGER_MAX, min(_INTEGER_MAX, value))


def integers(column: Sequence[Any]) -> list[Any]:
    """A column of a message; one of whole numbers is held within 64 bits."""
    if not isinstance(column[0], int) or -_INTEGER_MAX <= min(column) <= max(column) <= _INTEGER_MAX:
        return list(column)
    return [integer(value) for value in column]
