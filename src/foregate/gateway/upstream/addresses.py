"""Where a target's name leads: looked up now and then, never while a request could do without."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

from foregate.kernel.clock import Clock
from foregate.kernel.tasks import spawn

Address = tuple[str, int]  # an IP address as text, a port
Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]  # raises OSError or UnicodeError

ADDRESSES_MAX = 64  # of one name; further ones are not used
LOOKUP_SPACING_S = 1.0  # however often connections fail, a name is not looked up more often
LOOKUP_WAIT_S = 1.0  # so long a connection waits for a lookup when there is an older answer to go on with
LOOKUP_TIMEOUT_S = 10.0
SHUNNED_S = 5.0  # an address that has just refused is tried last for so long


async def system_resolver(host: str, port: int) -> Sequence[Address]:
    """What the machine says (hosts file, DNS), in its order, each once."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(entry[4][0]), int(entry[4][1])) for entry in found))


def in_turn(known: Sequence[Address], turn: int, shunned_until_s: dict[Address, float], now_s: float) -> list[Address]:
    """All of `known` in the order to try them: another first one each `turn`, those that failed lately last."""
    start = turn % len(known)
    ordered = [*known[start:], *known[:start]]
    if shunned_until_s:
        ordered.sort(key=lambda address: shunned_until_s.get(address, 0.0) > now_s)
    return ordered


class Addresses:
    """The addresses of one host. An answer is used for `fresh_s`; it stays in use while no newer one can be had.

    `changed(gone)` hears which addresses a new answer no longer holds. A host that is an address is never looked up.
    """

    def __init__(
        self,
        host: str,
        port: int,
        fresh_s: float,
        clock: Clock,
        resolve: Resolver,
        changed: Callable[[frozenset[Address]], None],
        failed: Callable[[str], None],
    ) -> None:
        self.fresh_s = fresh_s
        self._host, self._port = host, port
        self._clock = clock
        self._resolve = resolve
        self._changed = changed
        self._failed = failed
        self._fixed = _is_address(host)
        self._known: tuple[Address, ...] = ((host, port),) if self._fixed else ()
        self._asked_s = -1e9
        self._looking: asyncio.Task[None] | None = None
        self._shunned_until_s: dict[Address, float] = {}
        self._turn = 0

    @property
    def known(self) -> tuple[Address, ...]:
        """The latest answer; empty before the first."""
        return self._known

    @property
    def stale(self) -> bool:
        """Whether it is time to look it up again."""
        return not self._fixed and self._clock.monotonic() - self._asked_s >= self.fresh_s

    def look_up(self) -> "asyncio.Task[None]":
        """Look it up now, together with whoever is doing so already."""
        if self._looking is None:
            self._asked_s = self._clock.monotonic()
            self._looking = spawn(self._look_up(), name=f"look up {self._host}")
        return self._looking

    async def candidates(self) -> list[Address]:
        """The addresses to try, in order. Waits only when there is none, or the answer is old. Empty: no such name."""
        if not self._known or self.stale:
            await asyncio.wait([self.look_up()], timeout=LOOKUP_WAIT_S if self._known else None)
        if not self._known:
            return []
        self._turn += 1
        return in_turn(self._known, self._turn, self._shunned_until_s, self._clock.monotonic())

    async def others_than(self, tried: Sequence[Address]) -> list[Address]:
        """All of `tried` have failed: what a new look-up knows beyond them."""
        if self._fixed or (self._looking is None and self._clock.monotonic() - self._asked_s < LOOKUP_SPACING_S):
            return [address for address in self._known if address not in tried]
        await asyncio.wait([self.look_up()])
        return [address for address in self._known if address not in tried]

    def failed_at(self, address: Address) -> None:
        """A connection to it could not be made."""
        if len(self._known) > 1:
            self._shunned_until_s[address] = self._clock.monotonic() + SHUNNED_S

    def worked_at(self, address: Address) -> None:
        if self._shunned_until_s:
            self._shunned_until_s.pop(address, None)

    async def _look_up(self) -> None:
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                found = tuple(await self._resolve(self._host, self._port))[:ADDRESSES_MAX]
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            self._failed(f"{type(error).__name__}: {error}")
            return
        finally:
            self._looking = None
        if not found:
            self._failed("no address")
            return
        gone = frozenset(self._known) - frozenset(found)
        self._known = found
        for address in gone:
            self._shunned_until_s.pop(address, None)
        if gone:
            self._changed(gone)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
