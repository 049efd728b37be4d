"""Limits that several machines share in Valkey or Redis (`foregate.ports.limits`): one script per `take`.

The server's clock counts, so machines need not agree on the time. A `take` waits at most `wait_max_s`. When the server
cannot be reached, the setting answers: `fail_open` lets through, else refused; counted, logged once. After
`FAILURES_MAX` failures in a row nobody asks any more, so that a dead server costs nothing per request; a task asks
until it is back. An answer that was lost on its way may have used what it was asked for; slots heal (see `Holder`).

Keys are `<prefix><32 hex digits>`: a name of rule and subject that shows neither. A cluster wants them in one slot:
choose a prefix with a hash tag, such as `{foregate}:`.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from foregate.adapters.distributed.limits.holder import ALIVE_S, Holder
from foregate.adapters.distributed.limits.settling import Settlement, Settling
from foregate.adapters.distributed.limits.turns import Turns
from foregate.kernel.ids import new_span_id
from foregate.kernel.tasks import spawn
from foregate.ports.limits import (
    CalendarWindow,
    Charge,
    Concurrency,
    FixedWindow,
    LeakyBucket,
    LimitStats,
    Moment,
    Rule,
    SlidingWindow,
    Taken,
    TokenBucket,
    fingerprint,
)

FAILURES_MAX = 3  # in a row; then the circuit is open
CONNECTIONS_MAX = 64  # takes beyond wait their turn, within `wait_max_s`
STATED_AT_ONCE = 32  # limits whose slots were given back
RETRY_AFTER_S = 1.0  # what a refusal without the server says
BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)  # between attempts to reach the server again; the last one for ever

Log = Callable[[str, dict[str, object]], None]
_TAKE = Path(__file__).with_name("take.lua").read_text()
_SETTLE = Path(__file__).with_name("settle.lua").read_text()
_STATE = Path(__file__).with_name("state.lua").read_text()


class ValkeyLimits:
    """One worker's client. `caller_clock` is for tests: then the times handed to `take` count."""

    def __init__(
        self,
        url: str,
        *,
        fail_open: bool,
        log: Log,
        wait_max_s: float = 0.1,
        prefix: str = "foregate:limit:",
        caller_clock: bool = False,
    ) -> None:
        self._fail_open = fail_open
        self._log = log
        self._wait_max_s = wait_max_s
        self._prefix = prefix
        self._caller_clock = caller_clock
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=wait_max_s,
            socket_connect_timeout=wait_max_s,
            retry=Retry(NoBackoff(), 0),  # a take must not be sent twice; the circuit decides when to try again
        )
        self._client: Redis = Redis.from_pool(pool)
        self._take_script: Any = self._client.register_script(_TAKE)
        self._state_script: Any = self._client.register_script(_STATE)
        self._settle_script: Any = self._client.register_script(_SETTLE)
        self._settling = Settling(self._tell_settlement)
        self._holder = Holder(new_span_id())
        self._turns = Turns()
        self._failures = 0
        self._unreachable = 0
        self._recovery: asyncio.Task[None] | None = None
        self._stating: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    def take_one(self, rule: Rule, subject: bytes, now_s: float, wall_s: float, cost: float = 1.0) -> Any:
        """`take` of one charge."""
        return self.take((Charge(rule, subject, cost),), now_s, wall_s)

    def take(self, charges: Sequence[Charge], now_s: float, wall_s: float) -> Any:
        """All or nothing: a `Taken` at once while the server is known to be gone, else an awaitable of one."""
        if self._recovery is not None:
            return self._without_server(charges)
        return self._ask(charges, now_s, wall_s)

    def release(self, charges: Sequence[Charge]) -> None:
        """Give slots back: said to the server soon, by a task."""
        for charge in charges:
            if type(charge.rule) is Concurrency:
                self._holder.give_back(self._key(charge), charge.cost)
        self._state_soon()

    def settle(self, charges: Sequence[Charge], used: Sequence[float], taken: Moment, now: Moment) -> None:
        """Said to the server soon, by a task; while it is known to be gone, what was taken there stays taken."""
        if self._recovery is not None:
            return
        arguments: list[Any] = [*((now.now_s, now.wall_s) if self._caller_clock else ("", "")), now.now_s - taken.now_s]
        for charge, amount in zip(charges, used, strict=True):
            kind, p, q, _ = _settings(charge.rule)
            arguments += [kind, p, q, charge.cost, amount]
        put_s = asyncio.get_running_loop().time()
        self._settling.put(Settlement([self._key(charge) for charge in charges], arguments, put_s))

    def stats(self) -> LimitStats:
        """Only this worker's `unreachable`: entries and their end are the server's."""
        return LimitStats(unreachable=self._unreachable)

    def close(self) -> None:
        """Let go of the server, soon; it forgets this worker's slots within `ALIVE_S`."""
        spawn(self.aclose(), name="limits-close")

    async def aclose(self) -> None:
        """`close`, and wait for it."""
        tasks = [
            task for task in (self._recovery, self._stating, self._beating, self._settling.task) if task is not None
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _ask(self, charges: Sequence[Charge], now_s: float, wall_s: float) -> Taken:
        keys = [self._key(charge) for charge in charges]
        slots = [at for at, charge in enumerate(charges) if type(charge.rule) is Concurrency]
        asked = False
        try:
            # One at a time per slot key: then what is held beside it is known, not hoped for.
            async with asyncio.timeout(self._wait_max_s), self._turns.take([keys[at] for at in slots]):
                arguments = self._arguments(charges, keys, now_s, wall_s)
                asked = True
                answer: bytes = await self._take_script(keys=keys, args=arguments)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            taken = self._without_server(charges, held=asked)
            asked = asked or taken.allowed
        except asyncio.CancelledError:  # the client left: whatever the server did, this worker does not hold it
            if asked:
                self._forget(keys, charges, slots)
            raise
        else:
            self._failures = 0
            taken = _taken(answer)
        if asked and not taken.allowed:
            self._forget(keys, charges, slots)
        if slots and self._beating is None:
            self._beating = spawn(self._beat(), name="limits-alive")
        return taken

    def _arguments(self, charges: Sequence[Charge], keys: Sequence[str], now_s: float, wall_s: float) -> list[Any]:
        times = (repr(now_s), repr(wall_s)) if self._caller_clock else ("", "")
        arguments: list[Any] = [*times, self._holder.id, self._alive, int(ALIVE_S * 1000)]
        for charge, key in zip(charges, keys, strict=True):
            if type(charge.rule) is Concurrency:
                mine, sequence = self._holder.take(key, charge.cost)
                arguments += ["concurrency", charge.rule.limit, mine, sequence, charge.cost]
            else:
                arguments += [*_settings(charge.rule), charge.cost]
        return arguments

    def _without_server(self, charges: Sequence[Charge], *, held: bool = False) -> Taken:
        """The setting's answer. Slots that it gives are held all the same (`held`: they are already counted)."""
        self._unreachable += 1
        nothing = tuple([0.0] * len(charges))
        if not self._fail_open:
            return Taken(False, 0.0, RETRY_AFTER_S, 0, nothing, nothing)
        for charge in () if held else charges:
            if type(charge.rule) is Concurrency:
                self._holder.take(self._key(charge), charge.cost)
        return Taken(True, 0.0, 0.0, -1, tuple([_most(charge.rule) for charge in charges]), nothing, False)

    def _forget(self, keys: Sequence[str], charges: Sequence[Charge], slots: Sequence[int]) -> None:
        for at in slots:
            self._holder.give_back(keys[at], charges[at].cost)
        if slots:
            self._state_soon()

    async def _tell_settlement(self, settlement: Settlement) -> bool:
        if self._recovery is not None:
            return False
        if not self._caller_clock:  # its turn has come late: of a window that is over by now nothing is given back
            settlement.arguments[2] += asyncio.get_running_loop().time() - settlement.put_s
        try:
            async with asyncio.timeout(max(1.0, self._wait_max_s)):
                await self._settle_script(keys=settlement.keys, args=settlement.arguments)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            return False
        return True

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures >= FAILURES_MAX and self._recovery is None:
            self._log("limit_store_unreachable", {"error": repr(error), "fail_open": self._fail_open})
            self._recovery = spawn(self._recover(), name="limits-recover")

    async def _recover(self) -> None:
        """Ask until the server answers, then close the circuit and say what is held."""
        tries = 0
        while not await self._reachable():
            await asyncio.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
            tries += 1
        self._failures = 0
        self._recovery = None
        self._log("limit_store_reachable_again", {"tries": tries})
        self._holder.doubt_all()
        self._state_soon()

    async def _reachable(self) -> bool:
        try:
            async with asyncio.timeout(max(1.0, self._wait_max_s)):
                await self._client.ping()
        except (RedisError, OSError, TimeoutError):
            return False
        return True

    def _state_soon(self) -> None:
        if self._stating is None and self._recovery is None and self._holder.doubtful:
            self._stating = spawn(self._state(), name="limits-state")

    async def _state(self) -> None:
        """Say what is held of every limit of which the server may think otherwise; what fails waits for the next
        beat or the recovery."""
        try:
            while self._recovery is None and (said := self._holder.next_doubtful(STATED_AT_ONCE)):
                if not all(await asyncio.gather(*[self._say(*one) for one in said])):
                    return
        finally:
            self._stating = None

    async def _say(self, key: str, sequence: int, held: float) -> bool:
        arguments = [self._holder.id, sequence, held, self._alive, int(ALIVE_S * 1000)]
        try:
            async with asyncio.timeout(max(1.0, self._wait_max_s)):
                await self._state_script(keys=[key], args=arguments)
        except (RedisError, OSError, TimeoutError) as error:
            self._holder.doubt(key)
            self._failed(error)
            return False
        return True

    async def _beat(self) -> None:
        """While slots are held: the sign of life without which others would take them for free."""
        try:
            while self._holder.busy:
                await asyncio.sleep(ALIVE_S / 3)
                self._state_soon()
                if self._recovery is None and self._holder.busy:
                    try:
                        async with asyncio.timeout(max(1.0, self._wait_max_s)):
                            await self._client.set(self._alive + self._holder.id, 1, px=int(ALIVE_S * 1000))
                    except (RedisError, OSError, TimeoutError) as error:
                        self._failed(error)
        finally:
            self._beating = None

    @property
    def _alive(self) -> str:
        return self._prefix + "alive:"

    def _key(self, charge: Charge) -> str:
        return self._prefix + fingerprint(charge.rule, charge.subject).hex()


def _settings(rule: Rule) -> tuple[str, float, float, float]:
    """Kind and three numbers, as `take.lua` wants them."""
    match rule:
        case TokenBucket():
            return "token_bucket", rule.rate, rule.burst, 0.0
        case LeakyBucket():
            return "leaky_bucket", rule.rate, rule.burst, rule.delay_max_s
        case SlidingWindow():
            return "sliding_window", rule.limit, rule.window_s, 0.0
        case FixedWindow():
            return "fixed_window", rule.limit, rule.window_s, 0.0
        case CalendarWindow():
            return rule.period, rule.limit, 0.0, 0.0
        case Concurrency():
            return "concurrency", rule.limit, 0.0, 0.0


def _most(rule: Rule) -> float:
    return rule.burst if isinstance(rule, TokenBucket | LeakyBucket) else rule.limit


def _taken(answer: bytes) -> Taken:
    """What `take.lua` says."""
    words = answer.split()
    numbers = [float(word) for word in words[4:]]
    return Taken(
        words[0] == b"1", float(words[1]), float(words[2]), int(words[3]), tuple(numbers[::2]), tuple(numbers[1::2])
    )
