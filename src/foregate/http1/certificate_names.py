"""The host names that a certificate is for: dNSName of its subjectAltName (RFC 5280 section 4.2.1.6). Pure."""

from foregate.http1.der import children, value_of

_SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")  # OBJECT IDENTIFIER 2.5.29.17
_EXTENSIONS = 0xA3  # [3] of TBSCertificate
_OCTET_STRING = 0x04
_DNS_NAME = 0x82  # [2] of GeneralName


def dns_names(certificate: bytes) -> tuple[str, ...]:
    """Lower-case names of a DER certificate, in their order; none without the extension. Raises ValueError."""
    tbs = next(children(value_of(certificate)))[1]
    for tag, value in children(tbs):
        if tag == _EXTENSIONS:
            for _, extension in children(value_of(value)):
                if extension.startswith(_SUBJECT_ALT_NAME):
                    content = next(value for tag, value in children(extension) if tag == _OCTET_STRING)
                    names = [name for tag, name in children(value_of(content)) if tag == _DNS_NAME]
                    return tuple(name.decode("ascii").lower() for name in names)
    return ()
