"""Where journeys are kept, and the calls between services."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from foregate.wire.journey import Call, CallMinute, JourneyAsk, Stored, Summary

Place = tuple[str, int]  # topic and partition


@dataclass(frozen=True, slots=True)
class JourneyStep:
    """What is written at once. `number` rises from step to step.

    `offsets`: up to where the bus was read; `needed`: after which a reader that begins anew must read again, because
    spans from there on are of traces that are not decided. `dropped`: `trace_key`s of traces that are not kept;
    those of steps before `forget_below` need not be known any longer.
    """

    number: int
    offsets: Mapping[Place, int]
    needed: Mapping[Place, int]
    kept: Sequence[Stored] = ()
    dropped: Sequence[bytes] = ()
    calls: Sequence[CallMinute] = ()
    counts: Mapping[str, int] | None = None
    forget_below: int = 0


class Dropped(NamedTuple):
    step: int
    keys: Sequence[bytes]


class JourneyPage(NamedTuple):
    """`cursor` asks for the next ones; "" at the end."""

    found: Sequence[Summary]
    cursor: str = ""


class JourneyWriter(Protocol):
    """For the one process that keeps them."""

    def write(self, step: JourneyStep) -> None:
        """All of it or nothing. A journey that is there is replaced; minutes of calls are added to those that are.

        Raises OSError.
        """
        ...

    def offsets(self, topic: str) -> dict[int, int]: ...

    def needed(self, topic: str) -> dict[int, int]: ...

    def dropped(self) -> Iterator[Dropped]:
        """What is remembered of it, the oldest step first."""
        ...

    def kept(self, limit: int) -> list[bytes]:
        """The `trace_key`s of the journeys kept last, the newest first."""
        ...

    def load(self, org: str, trace_id: str) -> Stored | None: ...

    def expire(self, older_than_s: float, org: str | None = None) -> int:
        """Delete journeys that began, and calls that were made before that, of one org or of all, and free their disk.

        Returns how many journeys.
        """
        ...

    def trim(self, bytes_max: int) -> int:
        """When more is used, delete the oldest journeys until it is 5 % less. Returns how many."""
        ...


class JourneyReader(Protocol):
    """For whoever asks: many readers beside the one writer."""

    def search(self, ask: JourneyAsk, limit: int, cursor: str = "") -> JourneyPage:
        """Newest first. Raises ForegateError("invalid_parameter") for a cursor that is none."""
        ...

    def load(self, org: str, trace_id: str) -> Stored | None: ...

    def calls(self, org: str, from_s: float, until_s: float) -> Sequence[CallMinute]:
        """Of from_s ≤ time < until_s, both whole minutes; hours may come as one."""
        ...

    def callers(self, since_s: float, limit: int) -> Sequence[tuple[Call, float]]:
        """Who has asked whom since then, of all orgs, and in which minute last; the first `limit` of them."""
        ...

    def counts(self) -> dict[str, int]:
        """What became of spans and traces, since ever."""
        ...
