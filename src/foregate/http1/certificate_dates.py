"""Until when certificates are valid: notAfter of RFC 5280 section 4.1.2.5. Pure."""

import base64
import binascii
import calendar
import re
from typing import Final, NamedTuple

from foregate.http1.der import children, value_of

_PEM: Final = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL)
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x17, 0x18
_ISSUER, _VALIDITY, _SUBJECT = 1, 2, 3  # among the sequences of TBSCertificate: signature comes first
_CENTURY_PIVOT: Final = 50  # of a year in two digits: from here on it is 19xx


class Validity(NamedTuple):
    """`until_s`: Unix seconds. `self_issued`: it vouches for itself, as a root does."""

    until_s: float
    self_issued: bool


def validities(pem: str) -> list[Validity]:
    """Of each certificate in a PEM file, in their order. Raises ValueError for one that is none."""
    found = []
    for match in _PEM.finditer(pem):
        try:
            found.append(validity(base64.b64decode("".join(match[1].split()), validate=True)))
        except binascii.Error as error:
            raise ValueError("the certificate is not PEM") from error
    return found


def validity(certificate: bytes) -> Validity:
    """Of a DER certificate. Raises ValueError."""
    tbs = value_of(value_of(certificate))  # the first of its elements
    parts = [value for tag, value in children(tbs) if tag == _SEQUENCE]
    if len(parts) <= _SUBJECT:
        raise ValueError("the certificate lacks its validity")
    _, (tag, text) = children(parts[_VALIDITY])
    return Validity(_seconds(tag, text.decode("ascii")), parts[_ISSUER] == parts[_SUBJECT])


def _seconds(tag: int, text: str) -> float:
    """UTCTime is YYMMDDHHMMSSZ, GeneralizedTime YYYYMMDDHHMMSSZ: RFC 5280 allows no other form."""
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _CENTURY_PIVOT else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("the certificate's validity is no time")
    if len(text) != 15 or text[-1] != "Z":
        raise ValueError(f"{text!r} is no time of RFC 5280")
    numbers = [int(text[at : at + 2]) for at in range(4, 14, 2)]
    return float(calendar.timegm((int(text[:4]), *numbers)))
