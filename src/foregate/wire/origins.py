"""What may be written for a page's origin (RFC 6454 section 6.2, Fetch standard): what a browser would send."""

import re

_HOST = r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]{2,45}\]"
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://(?:{_HOST})(?::([1-9][0-9]{{0,4}}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def problem_with(origin: str) -> str | None:
    """Why no page can have this origin; None for `*`, `null`, and one or a family (`https://*.example.com`) of them."""
    if origin in ("*", "null"):
        return None
    match = _ORIGIN.fullmatch(origin.lower())
    if match is None:
        return f'origin "{origin}" is not scheme://host, without a path and with "*." only at the host\'s beginning'
    scheme, port = match.groups()
    if port is not None and port == _DEFAULT_PORTS.get(scheme):
        return f'origin "{origin}" matches nothing: browsers leave the port :{port} out'
    return None
