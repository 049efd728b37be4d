"""What PostgreSQL's types cannot hold, as the nearest that they can: one such value must not stop the others."""

_INTEGER_MAX = (1 << 63) - 1


def text(value: str) -> str:
    """No text holds a NUL there: it becomes U+FFFD."""
    return value.replace("\0", "\ufffd") if "\0" in value else value


def integer(value: int) -> int:
    """Within 64 bits."""
    return value if -_INTEGER_MAX <= value <= _INTEGER_MAX else max(-_INTEGER_MAX, min(_INTEGER_MAX, value))
