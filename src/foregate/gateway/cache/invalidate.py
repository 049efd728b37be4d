"""What an unsafe request has made void (RFC 9111 section 4.4). Pure."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from foregate.http1.headers import HeaderList

SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
_NAMING = frozenset({b"location", b"content-location"})
URLS_MAX = 8  # further Location fields are ignored: no answer has use for two


def urls(proto: str, host: bytes, target: bytes, status: int, headers: HeaderList) -> list[bytes]:
    """Path and query of all that is void after this answer: what was asked, and what Location and Content-Location
    name on the same host. Nothing, where the request has failed."""
    if not 200 <= status < 400:
        return []
    void = [target]
    base = f"{proto}://{host.decode('latin-1')}{target.decode('latin-1')}"
    for name, value in headers:
        if name in _NAMING and len(void) < URLS_MAX and (url := _same_origin(base, value)) is not None:
            void.append(url)
    return list(dict.fromkeys(void))


def _same_origin(base: str, value: bytes) -> bytes | None:
    try:
        found, ours = urlsplit(urljoin(base, value.decode("latin-1").strip())), urlsplit(base)
        if (found.scheme, found.netloc.lower()) != (ours.scheme, ours.netloc.lower()):
            return None
    except ValueError:
        return None
    path = found.path or "/"
    return (f"{path}?{found.query}" if found.query else path).encode("latin-1", "replace")
