"""Hosts: the name that a request is for, and the patterns that rules ask for.

Names are compared in lower case and without a trailing dot. A port is compared only where the pattern names one.
"*.example.com" takes every name below example.com, at any depth, and not example.com itself. IPv6 addresses are
compared in their shortest form, so that no spelling of one is another host.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_PATTERN = re.compile(
    rf"(?:(?P<name>(?:\*\.)?{_LABEL}(?:\.{_LABEL})*)\.?|\[[0-9A-Fa-f:.]{{2,45}}\])(?::(?P<port>\d{{1,5}}))?"
)
_NAME_MAX = 253


class HostPattern(NamedTuple):
    """`name` is lower case; of a wildcard it is what follows the star, with its dot. `port` is b"" for any."""

    name: bytes
    port: bytes
    wildcard: bool

    def takes(self, name: bytes, port: bytes) -> bool:
        """Whether a normalised host is meant."""
        if self.port and self.port != port:
            return False
        return name.endswith(self.name) and len(name) > len(self.name) if self.wildcard else name == self.name


def normalise(host: bytes) -> tuple[bytes, bytes]:
    """A Host header's name, as it is compared, and its port (b"" without one)."""
    name, port = host.lower(), b""
    if name[-1:] != b"]":
        before, colon, after = name.rpartition(b":")
        if colon:
            name, port = before, after
    if name[:1] == b"[":
        name = _shortest(name)
    return name.removesuffix(b"."), port


@lru_cache(maxsize=256)  # beyond it the one longest unused is read anew
def _shortest(name: bytes) -> bytes:
    """An IPv6 address in brackets as RFC 5952 writes it; anything else as it is."""
    try:
        return b"[%s]" % IPv6Address(name[1:-1].decode("latin-1")).compressed.encode()
    except AddressValueError:
        return name


def read_host(text: str) -> HostPattern:
    """A configured host, already judged by `problem_with_host`."""
    name, port = normalise(text.encode())
    wildcard = name.startswith(b"*")
    return HostPattern(name[1:] if wildcard else name, port, wildcard)


def problem_with_host(text: str) -> str | None:
    """What is wrong with a configured host, as a sentence; None when nothing is."""
    match = _PATTERN.fullmatch(text)
    if match is None or len(match["name"] or "") > _NAME_MAX:
        if text == "*":
            return 'host "*" takes every host: leave hosts out instead'
        return f'host "{text}" is not a name like example.com, *.example.com or example.com:8443 (IDNs in punycode)'
    if match["port"] is not None and not 0 < int(match["port"]) <= 65_535:
        return f'host "{text}" has no possible port'
    return None
