"""The TLS that services' https targets are spoken to with: one context for all services with the same settings."""

import os
import ssl
from collections.abc import Iterable

from foregate.http1.tls import BadCertificate, Certificate, client_context
from foregate.wire.snapshot import UpstreamTls

_Key = tuple[bool, str, str, str, tuple[int, ...]]


class Contexts:
    """Contexts cost some 10 ms each, so they are kept while their settings and their files' times stay the same."""

    def __init__(self) -> None:
        self._known: dict[_Key, ssl.SSLContext] = {}

    def renew(self, wanted: Iterable[UpstreamTls]) -> dict[UpstreamTls, ssl.SSLContext]:
        """The contexts of `wanted`; all others are forgotten. Raises BadCertificate, and then nothing has changed."""
        known: dict[_Key, ssl.SSLContext] = {}
        found = {}
        for settings in wanted:
            key = _key(settings)
            if key not in known:
                known[key] = self._known.get(key) or _context(settings)
            found[settings] = known[key]
        self._known = known
        return found


def _key(settings: UpstreamTls) -> _Key:
    """The server's name is no part of it: it belongs to the connection."""
    ca_file, certificate, key = settings.ca_file or "", settings.certificate or "", settings.key or ""
    return settings.verify, ca_file, certificate, key, tuple(_written_ns(path) for path in (ca_file, certificate, key))


def _written_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns if path else 0
    except OSError:
        return 0  # making the context will say what is wrong with it


def _context(settings: UpstreamTls) -> ssl.SSLContext:
    pair = None
    if settings.certificate is not None:
        if settings.key is None:
            raise BadCertificate(f"{settings.certificate}: a certificate needs its key")
        pair = Certificate(settings.certificate, settings.key)
    return client_context(ca_file=settings.ca_file or "", verify=settings.verify, certificate=pair)
