"""The head of an answer, remembered: the next one that comes with the same bytes needs no parser. Pure."""

from typing import NamedTuple

from foregate.http1.headers import HeaderList
from foregate.kernel import limits


class KnownAnswer(NamedTuple):
    """`head` with its blank line; `size` is that of the whole answer, `length` that of its body, both in bytes."""

    head: bytes
    size: int
    length: int
    status: int
    headers: HeaderList


UNKNOWN = KnownAnswer(b"\0", 0, 0, 0, [])  # no answer begins with NUL


def remembered(data: bytes, status: int, headers: HeaderList, length: int | None) -> KnownAnswer | None:
    """An answer that is worth remembering: `data` is all of it, head and body and nothing else."""
    size = data.find(b"\r\n\r\n", 0, limits.REPEATED_HEAD_BYTES_MAX) + 4
    if length is None or size + length != len(data) or status in (204, 304) or not data.startswith(b"HTTP/1.1 "):
        return None
    return KnownAnswer(data[:size], len(data), length, status, headers)
