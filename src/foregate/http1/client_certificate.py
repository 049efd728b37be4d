"""Who a client is by its TLS certificate, once TLS has verified it: its names, and how they are told to others."""

from __future__ import annotations

import asyncio
import re
from hashlib import sha256
from typing import Any, NamedTuple, cast

_REMEMBERED = 4_096  # certificates that were read; beyond it all are read anew when they come again
_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_SPECIAL = re.compile(r'[,+"\\<>;=]|^[ #]| $')
_PLAIN = re.compile(r"[!-~ ]*")
_TOKEN = re.compile(r"[!-~]+")
_QUOTED = re.compile(r'[",;=\\]')


class ClientCertificate(NamedTuple):
    """`subject` as RFC 4514 writes it (the last RDN first: `CN=shop,O=Acme`), `sha256` of its DER in hex.

    `names` are all that it may be called by: URIs, then DNS names, then mail addresses of its subjectAltName.
    `forwarded` is the value of `x-forwarded-client-cert`.
    """

    subject: str
    common_name: str
    sha256: str
    uris: tuple[str, ...]
    dns: tuple[str, ...]
    emails: tuple[str, ...]
    forwarded: bytes

    @property
    def names(self) -> tuple[str, ...]:
        return *self.uris, *self.dns, *self.emails

    @property
    def name(self) -> str:
        """What to call its bearer: the first of its names, or the subject's common name, or the subject."""
        return next((name for name in (*self.names, self.common_name, self.subject) if name), self.sha256)


_read: dict[bytes, ClientCertificate] = {}


def shown(transport: asyncio.BaseTransport | None) -> ClientCertificate | None:
    """What the client showed on this connection and TLS has verified; None without."""
    ssl_object = transport.get_extra_info("ssl_object") if transport is not None else None
    if ssl_object is None:
        return None
    der = ssl_object.getpeercert(True)
    if der is None:
        return None
    known = _read.get(der)
    if known is None:
        details = ssl_object.getpeercert()
        if not details:
            return None  # it was not verified
        if len(_read) >= _REMEMBERED:
            _read.clear()
        known = _read[der] = read(der, details)
    return known


def read(der: bytes, details: dict[str, Any]) -> ClientCertificate:
    """`details` as `ssl` gives them (`getpeercert`)."""
    rdns = cast("tuple[tuple[tuple[str, str], ...], ...]", details.get("subject", ()))
    said = ["+".join([f"{_SHORT.get(key, key)}={_escaped(value)}" for key, value in rdn]) for rdn in reversed(rdns)]
    subject = ",".join(said)
    common = [value for rdn in rdns for key, value in rdn if key == "commonName"]
    alternatives = cast("tuple[tuple[str, str], ...]", details.get("subjectAltName", ()))
    uris, dns, emails = (
        tuple(value for kind, value in alternatives if kind == wanted and _TOKEN.fullmatch(value))
        for wanted in ("URI", "DNS", "email")
    )
    digest = sha256(der).hexdigest()
    parts = [f"Hash={digest}", f'Subject="{_quoted(subject)}"']
    parts += [f"URI={_part(uri)}" for uri in uris] + [f"DNS={_part(name)}" for name in dns]
    forwarded = ";".join(parts).encode()
    return ClientCertificate(subject, common[0] if common else "", digest, uris, dns, emails, forwarded)


def _escaped(value: str) -> str:
    """RFC 4514 section 2.4; what is not plain ASCII as its UTF-8 in hex, so that it may stand in a header field."""
    escaped = _SPECIAL.sub(lambda found: "\\" + found[0], value)
    if _PLAIN.fullmatch(escaped):
        return escaped
    return "".join(c if " " <= c <= "~" else "".join(f"\\{byte:02X}" for byte in c.encode()) for c in escaped)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _part(value: str) -> str:
    return f'"{_quoted(value)}"' if _QUOTED.search(value) else value
