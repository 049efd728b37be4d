"""What of a client's credentials must not be sent on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foregate.gateway.request import Request

_LINE = b"authorization:"


def drop_authorization(request: Request, scheme: bytes, begins: bytes = b"") -> None:
    """Send no Authorization of this (lower-case) scheme on whose credentials begin so, whichever line it stands in."""
    kept = request.kept
    rest = tuple([line for line in kept if not (line.startswith(_LINE) and _is(line, scheme, begins))])
    if len(rest) != len(kept):
        request.kept = rest


def _is(line: bytes, scheme: bytes, begins: bytes) -> bool:
    found, credentials = [*line[len(_LINE) :].split(None, 1), b"", b""][:2]  # by a tab, too: upstreams do so
    return found.lower() == scheme and credentials.startswith(begins)
