"""The host names that a certificate is for: dNSName of its subjectAltName (RFC 5280 section 4.2.1.6). Pure."""

from collections.abc import Iterator

_SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")  # OBJECT IDENTIFIER 2.5.29.17
_EXTENSIONS = 0xA3  # [3] of TBSCertificate
_OCTET_STRING = 0x04
_DNS_NAME = 0x82  # [2] of GeneralName


def dns_names(certificate: bytes) -> tuple[str, ...]:
    """Lower-case names of a DER certificate, in their order; none without the extension. Raises ValueError."""
    tbs = next(_children(_value(certificate)))[1]
    for tag, value in _children(tbs):
        if tag == _EXTENSIONS:
            for _, extension in _children(_value(value)):
                if extension.startswith(_SUBJECT_ALT_NAME):
                    content = next(value for tag, value in _children(extension) if tag == _OCTET_STRING)
                    names = [name for tag, name in _children(_value(content)) if tag == _DNS_NAME]
                    return tuple(name.decode("ascii").lower() for name in names)
    return ()


def _value(der: bytes) -> bytes:
    """The content of the one element that `der` is."""
    for _, value in _children(der):
        return value
    raise ValueError("the certificate is not DER")


def _children(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element, one after the other."""
    at = 0
    while at < len(der):
        if at + 2 > len(der):
            raise ValueError("the certificate is cut off")
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            digits = size & 0x7F
            size = int.from_bytes(der[at : at + digits], "big")
            at += digits
        if at + size > len(der):
            raise ValueError("the certificate is cut off")
        yield tag, der[at : at + size]
        at += size
