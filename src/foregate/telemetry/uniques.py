"""How many different ones there were, in bounded space and mergeable: exact while they are few, then HyperLogLog.

Two states that have seen the same are the same bytes, in whichever order they saw it.
Source: Ertl: New cardinality estimation algorithms for HyperLogLog sketches, 2017, https://arxiv.org/abs/1702.01284
"""

import math
import struct
from collections.abc import Iterable
from hashlib import blake2b

FEW_MAX = 255  # hashes kept as they are; with one more they become registers, in the same space
ERROR = 0.0325  # standard error of the estimate beyond FEW_MAX: 1.04 / √registers
_INDEX_BITS = 10
_REGISTERS = 1 << _INDEX_BITS
_RANK_BITS = 32 - _INDEX_BITS
_HASH_BYTES = 4


def hash_of(text: str) -> int:
    """32 bits, the same on every machine and for ever: they are stored."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest(), "little")


class Uniques:
    """A set of 32-bit hashes that never takes more than 1 KB encoded. Counts to some hundred millions."""

    __slots__ = ("_few", "_registers")

    def __init__(self) -> None:
        self._few: set[int] = set()
        self._registers: bytearray | None = None

    def update(self, hashes: Iterable[int]) -> None:
        """Add hashes, as `hash_of` makes them."""
        if self._registers is None:
            self._few.update(hashes)
            if len(self._few) > FEW_MAX:
                self._become_registers()
        else:
            _raise(self._registers, hashes)

    def merge(self, other: "Uniques") -> None:
        """Be the union of both."""
        if other._registers is None:
            self.update(other._few)
            return
        if self._registers is None:
            self._become_registers()
        self._registers = bytearray(map(max, self._registers or b"", other._registers))

    def _become_registers(self) -> None:
        self._registers = bytearray(_REGISTERS)
        _raise(self._registers, self._few)
        self._few = set()

    def estimate(self) -> int:
        """How many different hashes were added; exact up to FEW_MAX."""
        return len(self._few) if self._registers is None else round(_estimate(self._registers))

    def encode(self) -> bytes:
        """The hashes in order, 4 bytes each, or the registers, one byte each."""
        if self._registers is not None:
            return bytes(self._registers)
        return struct.pack(f"<{len(self._few)}I", *sorted(self._few))

    @classmethod
    def decode(cls, data: bytes) -> "Uniques":
        """The inverse of `encode`. Raises ValueError on anything that it cannot have made."""
        made = cls()
        if len(data) == _REGISTERS and max(data) <= _RANK_BITS + 1:
            made._registers = bytearray(data)
        elif len(data) % _HASH_BYTES or len(data) > FEW_MAX * _HASH_BYTES:
            raise ValueError("a count of unique ones has the wrong length")
        else:
            made._few = set(struct.unpack(f"<{len(data) // _HASH_BYTES}I", data))
        return made


def _raise(registers: bytearray, hashes: Iterable[int]) -> None:
    """A register holds the most leading zeros, plus one, of the hashes that fell to it."""
    for each in hashes:
        index = each & (_REGISTERS - 1)
        rank = _RANK_BITS + 1 - (each >> _INDEX_BITS).bit_length()
        if rank > registers[index]:
            registers[index] = rank


def _estimate(registers: bytearray) -> float:
    """The improved raw estimate of the source: without a table, and without a gap between small and large."""
    with_rank = [0] * (_RANK_BITS + 2)
    for rank in registers:
        with_rank[rank] += 1
    total = _REGISTERS * _tau(1.0 - with_rank[-1] / _REGISTERS)
    for rank in range(_RANK_BITS, 0, -1):
        total = 0.5 * (total + with_rank[rank])
    total += _REGISTERS * _sigma(with_rank[0] / _REGISTERS)
    return _REGISTERS * _REGISTERS / (2.0 * math.log(2.0) * total)


def _sigma(share: float) -> float:
    """Of registers that nothing has fallen to; less than all of them."""
    power, found, before = 1.0, share, -1.0
    while found != before:
        share *= share
        before = found
        found += share * power
        power += power
    return found


def _tau(share: float) -> float:
    """Of registers that are not full."""
    if share in (0.0, 1.0):
        return 0.0
    power, found, before = 1.0, 1.0 - share, -1.0
    while found != before:
        share = math.sqrt(share)
        before = found
        power *= 0.5
        found -= (1.0 - share) ** 2 * power
    return found / 3.0
