"""The PROXY protocol, versions 1 and 2: whom a load balancer before us speaks for. Pure.

Source: HAProxy's "The PROXY protocol", 2020-03-05, sections 2.1 and 2.2. The header comes first on a connection, before
TLS. What is not one is refused: a guess would take a stranger's bytes for an address that limits and filters go by.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from foregate.kernel.limits import PROXY_HEADER_BYTES_MAX

_V1 = b"PROXY "
_V1_BYTES_MAX = 107  # with its CRLF
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED = 16
_LOCAL, _PROXY = 0x20, 0x21  # version 2, and the command
_TCP4, _TCP6, _UNIX, _UNSPECIFIED = 0x11, 0x21, 0x31, 0x00
_PORT_MAX = 65_535


class Introduction(NamedTuple):
    """`length` bytes of header. `source` is the client's address, "" where the header names none (LOCAL, UNKNOWN, a
    Unix socket): then the connection's own peer is the client."""

    length: int
    source: str


class BadIntroduction(ValueError):
    """These bytes are no PROXY header, nor the beginning of one."""


def parse(data: bytes) -> Introduction | None:
    """The header that `data` begins with; None while it is not complete. Raises BadIntroduction."""
    if data[:1] == _V2[:1]:
        return _version_2(data)
    if not data.startswith(_V1[: len(data)]):
        raise BadIntroduction("neither version of the PROXY protocol")
    end = data.find(b"\r\n", 0, _V1_BYTES_MAX)
    if end < 0:
        if len(data) >= _V1_BYTES_MAX:
            raise BadIntroduction("a version 1 header has at most 107 bytes")
        return None
    return Introduction(end + 2, _version_1(data[:end]))


def _version_1(line: bytes) -> str:
    """The source address of `PROXY TCP4 192.0.2.1 192.0.2.2 5000 443`."""
    try:
        words = line.decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise BadIntroduction("a version 1 header is ASCII") from None
    if words[1] == "UNKNOWN":
        return ""  # whatever follows is to be ignored
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise BadIntroduction("a version 1 header names a family, two addresses and two ports")
    for port in words[4:]:
        if not (port.isdigit() and len(port) <= 5 and int(port) <= _PORT_MAX and str(int(port)) == port):
            raise BadIntroduction("not a port")
    try:
        kind = IPv4Address if words[1] == "TCP4" else _ipv6
        source, _ = kind(words[2]), kind(words[3])
    except AddressValueError:
        raise BadIntroduction("not an address of this family") from None
    return str(source)


def _ipv6(text: str) -> IPv6Address:
    """Without a zone: that means something on the sender's machine alone."""
    if "%" in text:
        raise AddressValueError(text)
    return IPv6Address(text)


def _version_2(data: bytes) -> Introduction | None:
    if not data.startswith(_V2[: len(data)]):
        raise BadIntroduction("not the signature of version 2")
    if len(data) < _V2_FIXED:
        return None
    command, family = data[12], data[13]
    length = _V2_FIXED + int.from_bytes(data[14:16])
    if command not in (_LOCAL, _PROXY):
        raise BadIntroduction("not version 2, or no command of it")
    if length > PROXY_HEADER_BYTES_MAX:
        raise BadIntroduction("the header is larger than what is taken")
    if len(data) < length:
        return None
    return Introduction(length, "" if command == _LOCAL else _source(family, data[_V2_FIXED:length]))


def _source(family: int, addresses: bytes) -> str:
    """What follows the addresses (TLVs) is not looked at."""
    if family == _TCP4 and len(addresses) >= 12:
        return str(IPv4Address(addresses[:4]))
    if family == _TCP6 and len(addresses) >= 36:
        return str(IPv6Address(addresses[:16]))
    if family in (_UNSPECIFIED, _UNIX):
        return ""
    raise BadIntroduction("not a stream, or its addresses are cut off")
