"""A door with so many places behind it and a bounded queue in front: what bulkheads and adaptive limits are made of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from foregate.gateway.policies.policy import Ask, Policy, Refuse, Verdict
from foregate.gateway.policies.queue import Entry, PriorityQueue
from foregate.kernel.clock import Clock

if TYPE_CHECKING:
    from foregate.gateway.request import Request

_RETRY_AFTER = b"retry-after: 1\r\n"


DOORS = ("adaptive_concurrency", "bulkhead")  # the kinds of them, in their order


class Door(Policy):
    """A policy that keeps a service's requests at a time within bounds. There is one per service: it outlives reloads,
    as its service does."""

    gate: Gate

    def adopt(self, settings: Any) -> None:
        """Go on with these settings; what is under way stays counted."""
        raise NotImplementedError

    def over(self, request: Request) -> None:
        """A request that was let in at once has ended."""
        self.gate.leave()

    def fell_back(self, overloaded: bool) -> None:
        """A request that was let in is answered by another service; `overloaded`: this one had too much."""

    def enters(self, request: Request) -> bool:
        """Let a request in at once, or not at all."""
        if not self.gate.enter():
            return False
        request.ends(self.over)
        return True


class Gate:
    """At most `places` requests are inside; up to `queue` more wait, each at most `wait_s`, by priority.

    Whoever finds the queue full, or is pushed out of it by a higher priority, is refused with `full`; who has waited
    in vain with `late`. A place is given back when its request is over, however it ends.
    """

    __slots__ = ("_clock", "_full", "_late", "_queue", "_timer", "_wait_s", "inside", "places")

    def __init__(self, places: int, queue: int, wait_s: float, clock: Clock, *, full: str, late: str) -> None:
        self.places = places
        self.inside = 0
        self._queue: PriorityQueue[_Waiting] = PriorityQueue(queue)
        self._wait_s = wait_s
        self._clock = clock
        self._full = Refuse(full, "", _RETRY_AFTER)
        self._late = Refuse(late, "", _RETRY_AFTER)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def adopt(self, places: int, queue: int, wait_s: float) -> None:
        """Go on with other settings: who is inside counts, who waits goes on waiting."""
        self.places = places
        self._queue.size = queue
        self._wait_s = wait_s
        self.fill()

    def enter(self) -> bool:
        """In, if there is a place at once. Who is in is to be let out by `leave`."""
        if self.inside < self.places and not len(self._queue):
            self.inside += 1
            return True
        return False

    def admit(self, request: Request) -> Verdict | None:
        """In, or in the queue, or refused. Who is let in is to be let out by `leave`, by way of `request.ends`."""
        if self.inside < self.places and not len(self._queue):
            self.inside += 1
            return None
        return self._wait(request)

    def leave(self) -> None:
        """A request that was inside is over."""
        self.inside -= 1
        if len(self._queue):
            self.fill()

    def fill(self) -> None:
        """Let in as many as there are places: also called when `places` has grown."""
        queue = self._queue
        while self.inside < self.places and (entry := queue.pop()) is not None:
            entry.item.decide(None)
            self.inside += 1

    def _wait(self, request: Request) -> Verdict:
        if not self._queue.takes(request.priority):
            return self._full
        now_s = self._clock.monotonic()
        waiting = _Waiting(self, request, now_s)
        entry, pushed_out = self._queue.push(waiting, request.priority, now_s + self._wait_s)
        if pushed_out is not None:
            pushed_out.item.decide(self._full)
        waiting.entry = entry
        request.ends(waiting.over)
        self._watch()
        return Ask(waiting.verdict)

    def _watch(self) -> None:
        """Have the first of those whose time will be over woken then."""
        if self._timer is None and (deadline_s := self._queue.next_deadline_s()) is not None:
            wait_s = max(0.0, deadline_s - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._expire)

    def _expire(self) -> None:
        self._timer = None
        for entry in self._queue.expired(self._clock.monotonic()):
            entry.item.decide(self._late)
        self._watch()

    def waited_s(self, since_s: float) -> float:
        """How long that was."""
        return self._clock.monotonic() - since_s

    def forget(self, entry: Entry[_Waiting]) -> None:
        """Its client went away while it waited."""
        self._queue.remove(entry)


class _Waiting:
    """A request in the queue; afterwards, one that is inside."""

    __slots__ = ("_gate", "_inside", "_request", "_since_s", "entry", "verdict")

    def __init__(self, gate: Gate, request: Request, since_s: float) -> None:
        self._gate = gate
        self._request: Request | None = request  # until it waits no longer: the request knows this one, too
        self._since_s = since_s
        self._inside = False
        self.entry: Entry[_Waiting] | None = None
        self.verdict: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()

    def decide(self, verdict: Verdict | None) -> None:
        self._inside = verdict is None
        self._note_wait()
        if not self.verdict.done():  # its client may have left in this very moment; then `over` gives the place back
            self.verdict.set_result(verdict)

    def over(self, request: Request) -> None:
        """The request has ended, wherever it was."""
        if self._inside:
            self._inside = False
            self._gate.leave()
        elif self.entry is not None:
            self._gate.forget(self.entry)
            self._note_wait()

    def _note_wait(self) -> None:
        """It waits no longer: the request says for how long it has."""
        request, self._request = self._request, None
        if request is not None:
            request.waited_s += self._gate.waited_s(self._since_s)
