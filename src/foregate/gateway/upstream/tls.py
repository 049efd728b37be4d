"""The TLS that services' https targets are spoken to with: one context for all services with the same settings."""

import os
import ssl
from collections.abc import Iterable, Mapping

from foregate.http1.tls import HTTP1, HTTP2, BadCertificate, Certificate, client_context
from foregate.wire.snapshot import UpstreamProtocol, UpstreamTls

_Key = tuple[UpstreamProtocol, bool, str, str, str, tuple[int, ...]]
Wanted = tuple[UpstreamTls, UpstreamProtocol]
_ALPN: Mapping[UpstreamProtocol, tuple[str, ...]] = {"http/1.1": (HTTP1,), "h2": (HTTP2,), "auto": (HTTP2, HTTP1)}


class Contexts:
    """Contexts cost some 10 ms each, so they are kept while their settings and their files' times stay the same."""

    def __init__(self) -> None:
        self._known: dict[_Key, ssl.SSLContext] = {}

    def renew(self, wanted: Iterable[Wanted]) -> dict[Wanted, ssl.SSLContext]:
        """The contexts of `wanted`; all others are forgotten. Raises BadCertificate, and then nothing has changed."""
        known: dict[_Key, ssl.SSLContext] = {}
        found = {}
        for settings, protocol in wanted:
            key = _key(settings, protocol)
            if key not in known:
                known[key] = self._known.get(key) or _context(settings, protocol)
            found[settings, protocol] = known[key]
        self._known = known
        return found


def _key(settings: UpstreamTls, protocol: UpstreamProtocol) -> _Key:
    """The server's name is no part of it: it belongs to the connection."""
    ca_file, certificate, key = settings.ca_file or "", settings.certificate or "", settings.key or ""
    written_ns = tuple(_written_ns(path) for path in (ca_file, certificate, key))
    return protocol, settings.verify, ca_file, certificate, key, written_ns


def _written_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns if path else 0
    except OSError:
        return 0  # making the context will say what is wrong with it


def _context(settings: UpstreamTls, protocol: UpstreamProtocol) -> ssl.SSLContext:
    pair = None
    if settings.certificate is not None:
        if settings.key is None:
            raise BadCertificate(f"{settings.certificate}: a certificate needs its key")
        pair = Certificate(settings.certificate, settings.key)
    ca_file = settings.ca_file or ""
    return client_context(ca_file=ca_file, verify=settings.verify, certificate=pair, alpn=_ALPN[protocol])
