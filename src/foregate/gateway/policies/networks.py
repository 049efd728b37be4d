"""Sets of networks (CIDR), compiled: whether an address lies in one of them.

A network of n bits is kept as its first n bits, one set of integers per length; an address is in the set when one of
its prefixes is. An address that is IPv4 written as IPv6 (`::ffff:192.0.2.1`, as dual-stack sockets give it) is IPv4.
"""

import socket
from collections.abc import Iterable
from contextlib import suppress

_V4_IN_V6 = bytes(10) + b"\xff\xff"
_V4_LENGTHS = {str(bits): bits for bits in range(33)}
_Prefixes = tuple[tuple[int, frozenset[int]], ...]  # (bits to shift away, what is left)


def packed(address: str) -> bytes | None:
    """4 or 16 bytes; None for what is no address. A zone (`%eth0`) is no part of it."""
    try:
        if ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        whole = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):  # ValueError: a NUL inside
        return None
    return whole[12:] if whole.startswith(_V4_IN_V6) else whole


class Networks:
    """`texts` are CIDRs or addresses; bits behind the prefix do not count. Raises ValueError for anything else."""

    __slots__ = ("_v4", "_v6")

    def __init__(self, texts: Iterable[str]) -> None:
        v4: dict[int, set[int]] = {}
        v6: dict[int, set[int]] = {}
        for text in texts:
            number, bits, width = _network(text)
            shift = width - bits
            (v4 if width == 32 else v6).setdefault(shift, set()).add(number >> shift)
        self._v4 = _compiled(v4)
        self._v6 = _compiled(v6)

    def covers(self, address: str) -> bool:
        """Whether the address lies in one of the networks; False for what is no address ("" of a Unix socket)."""
        raw = packed(address)
        if raw is None:
            return False
        number = int.from_bytes(raw)
        return any(number >> shift in prefixes for shift, prefixes in (self._v4 if len(raw) == 4 else self._v6))


def _network(text: str) -> tuple[int, int, int]:
    """(address, bits of the prefix, width) of one CIDR."""
    address, slash, length = text.partition("/")
    if ":" not in address and length in _V4_LENGTHS:  # nearly all of long lists
        with suppress(OSError, ValueError):
            return int.from_bytes(socket.inet_pton(socket.AF_INET, address)), _V4_LENGTHS[length], 32
    raw = packed(address)
    if raw is None or (slash and not (length.isascii() and length.isdigit())):
        raise ValueError(f'"{text}" is not a network')
    written = 128 if ":" in address else 32
    width = len(raw) * 8
    bits = int(length) if slash else written
    if bits > written or (width < written and bits < 96):  # the latter: wider than all of IPv4 in IPv6
        raise ValueError(f'"{text}" is not a network')
    return int.from_bytes(raw), bits - (written - width), width


def _compiled(by_shift: dict[int, set[int]]) -> _Prefixes:
    return tuple((shift, frozenset(prefixes)) for shift, prefixes in sorted(by_shift.items(), reverse=True))
