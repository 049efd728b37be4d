"""How much is still allowed: limits that all workers (and, with a shared store, all machines) use up together."""

import functools
import hashlib
from collections.abc import Awaitable, Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol

import msgspec

WINDOW_MAX = float((1 << 26) - 1)  # the largest limit of a window: its count is kept in 64ths, in 32 bits
CALENDAR_MAX = float((1 << 32) - 1)


class _Rule(msgspec.Struct, frozen=True):
    """Numbers that are not above 0 (or too large for the stores) raise ValueError."""

    most: ClassVar[float] = 1e12

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not isinstance(value, str) and not 0.0 < value <= self.most:
                raise ValueError(f"{type(self).__name__}.{name} = {value}: must be above 0 and at most {self.most:.0f}")


class TokenBucket(_Rule, frozen=True):
    """`rate` tokens a second flow in, `burst` is the most it holds (and what it holds at first)."""

    rate: float
    burst: float


class LeakyBucket(_Rule, frozen=True):
    """One leaves every 1/`rate` s; up to `burst` wait their turn, none of them longer than `delay_max_s`."""

    rate: float
    burst: float
    delay_max_s: float


class SlidingWindow(_Rule, frozen=True):
    """`limit` in any `window_s` seconds, the previous window's requests taken as evenly spread.

    So it is exact under steady demand; of bursts at a window's edges it may admit more (at worst 2× in one window that
    straddles two) or fewer than a log of every request would.
    """

    limit: float
    window_s: float
    most: ClassVar[float] = WINDOW_MAX


class FixedWindow(_Rule, frozen=True):
    """`limit` in each window of `window_s` seconds; up to twice that around a border."""

    limit: float
    window_s: float
    most: ClassVar[float] = WINDOW_MAX


class Concurrency(_Rule, frozen=True):
    """`limit` at the same time: each `take` is to be followed by one `release`."""

    limit: float
    most: ClassVar[float] = WINDOW_MAX


class CalendarWindow(_Rule, frozen=True):
    """`limit` in a calendar day or month (UTC, by `wall_s`). Kept over restarts."""

    limit: float
    period: Literal["day", "month"]
    most: ClassVar[float] = CALENDAR_MAX


Rule = TokenBucket | LeakyBucket | SlidingWindow | FixedWindow | Concurrency | CalendarWindow


def fingerprint(rule: Rule, subject: bytes) -> bytes:
    """16 bytes that name the state of this rule for this subject: other settings, another state."""
    return hashlib.blake2b(_settings(rule) + subject, digest_size=16).digest()


@functools.lru_cache(4_096)
def _settings(rule: Rule) -> bytes:
    values = [value if isinstance(value, str) else float(value) for value in msgspec.structs.astuple(rule)]
    return f"{type(rule).__name__} {values} ".encode()


def named(scope: str, name: str, by: str, whose: str) -> bytes:
    """`Charge.subject` of a limit in requests: where it was set ("", "service:a", "route:b" …), and whose it is."""
    return f"{scope}/{name}/{by}\0{whose}".encode("utf-8", "surrogateescape")


def named_of_tokens(scope: str, name: str, by: str, kind: str) -> str:
    """What `Charge.subject` of a limit in tokens begins with; whose it is follows."""
    return f"{scope}/tokens/{name}/{by}/{kind}\0"


class Charge(NamedTuple):
    """`subject` names limit and subject uniquely, a NUL between them (b"route:a/per-key\\0abc"): a store that is full
    is fair to limits. A cost above the limit needs all of it free."""

    rule: Rule
    subject: bytes
    cost: float = 1.0


class Moment(NamedTuple):
    """A monotonic clock of this machine, and Unix time, both at once."""

    now_s: float
    wall_s: float


class Taken(msgspec.Struct, frozen=True, gc=False):
    """The verdict. Tuples have one number per charge, as they are after it; `refused_by` is a charge's index or -1."""

    allowed: bool
    wait_s: float  # leaky bucket: go on after so long
    retry_after_s: float  # when it may be worth another try; 0 when allowed
    refused_by: int
    remaining: tuple[float, ...]
    reset_s: tuple[float, ...]  # until all of the limit is free again, or the window ends
    counted: bool = True  # False: no store could be asked, the setting has answered; there is nothing to settle


class LimitStats(msgspec.Struct, frozen=True):
    """`entries` of `capacity` are in use; `evicted` ones were still alive; `unreachable` answers were the setting's."""

    entries: int = 0
    capacity: int = 0
    evicted: int = 0
    unreachable: int = 0


class LimitStore(Protocol):
    """`now_s`: a monotonic clock of this machine; `wall_s`: Unix time. A shared store goes by its own clock."""

    def take(self, charges: Sequence[Charge], now_s: float, wall_s: float) -> Taken | Awaitable[Taken]:
        """All or nothing: what is refused uses nothing of any. No (rule, subject) may stand in it twice."""
        ...

    def take_one(
        self, rule: Rule, subject: bytes, now_s: float, wall_s: float, cost: float = 1.0
    ) -> Taken | Awaitable[Taken]:
        """`take` of one charge, for the request path."""
        ...

    def release(self, charges: Sequence[Charge]) -> None:
        """Give back the `Concurrency` among what was taken; the others are used for good."""
        ...

    def settle(self, charges: Sequence[Charge], used: Sequence[float], taken: Moment, now: Moment) -> None:
        """Of what was taken at `taken`, this much was used: give back the rest, or take what is missing.

        `used` has one number (0 or more) per charge. What is missing is taken even where nothing is left. What was
        taken of a window that nobody looks at any more is not given back, nor what has flowed in again meanwhile.
        `LeakyBucket` and `Concurrency` stay as they are: one has made others wait, the other is released. Called once
        for a `take`; a store that cannot be reached keeps what was taken.
        """
        ...

    def stats(self) -> LimitStats: ...

    def close(self) -> None: ...
