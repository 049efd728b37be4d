"""A second attempt beside the first: whoever answers first is the answer, the other one is dropped at once.

Only for requests that are safe to repeat and have come whole. A hedge that fails is forgotten; when the first attempt
fails while a hedge is under way, the hedge becomes the attempt, and no retry is needed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from foregate.gateway import layout
from foregate.gateway.forwarding.judging import Outcome, tell_service, tell_target
from foregate.gateway.policies import hedge

if TYPE_CHECKING:
    from foregate.gateway.forwarding.proxied import Proxied
    from foregate.gateway.forwarding.rare import Rare
    from foregate.gateway.policies.breaker import State
    from foregate.gateway.upstream import TargetState
    from foregate.http1.asking import UpstreamExchange


def fire(proxied: Proxied) -> None:
    """The first attempt has not begun to answer in time."""
    rare, request, service = proxied.rare, proxied.request, proxied.service
    assert rare is not None  # noqa: S101 - it holds the timer that has called us
    rare.hedge_timer = None
    settings = request.chain.hedge
    replayable = proxied.body is not None and proxied.exchange.told_complete
    answered = proxied.status != 0 or not proxied.at_target
    if settings is None or not hedge.due(
        settings, rare.hedged, repeatable=request.repeatable, replayable=replayable, answered=answered
    ):
        return
    now_s = proxied.monotonic()
    if service.breaker is not None and not service.breaker.admits(now_s):
        return
    target = service.choose(now_s, service.subject_of(request) if service.hashes else None, proxied.target)
    if target is None or (target is proxied.target and len(service.targets) > 1):
        return  # the only one left to ask is the one that is slow
    budget = request.chain.retry
    if not service.budget.take(now_s, service.begun, service.inflight, budget.budget, budget.budget_min):
        service.cells[layout.BUDGET_EXHAUSTED] += 1.0
        request.note("hedge:budget_exhausted")
        return
    rare.hedged += 1
    service.cells[layout.HEDGES] += 1.0
    if rare.hedged < settings.max:
        rare.hedge_timer = asyncio.get_running_loop().call_later(settings.after_s, fire, proxied)
    rare.hedges.append(HedgeAttempt(proxied, target, now_s))


def take_over(proxied: Proxied) -> bool:
    """The first attempt has failed: let a hedge be the attempt, if there is one under way."""
    rare = proxied.rare
    if rare is None or not rare.hedges:
        return False
    rare.hedges.pop(0).adopt(rare)
    return True


class HedgeAttempt:
    """One more attempt, on its own until it is adopted; from then on its connection tells the request itself."""

    __slots__ = (
        "_adopted",
        "_connection",
        "_entered",
        "_pending",
        "_proxied",
        "_service_entered",
        "_target",
        "begun_s",
    )

    def __init__(self, proxied: Proxied, target: TargetState, now_s: float) -> None:
        self._proxied = proxied
        self._target = target
        self._adopted = False
        self._connection: UpstreamExchange | None = None
        self._pending: asyncio.Task[None] | None = None
        self.begun_s = now_s
        proxied.attempts += 1
        service = proxied.service
        self._entered: State = target.circuit.enter(now_s)
        self._service_entered = service.breaker.enter(now_s) if service.breaker is not None else None
        target.began(now_s)
        connection = target.pool.take()
        if connection is not None:
            self.connected(connection)
        else:
            self._pending = target.pool.connect(self)

    def adopt(self, rare: Rare) -> None:
        """Become the request's attempt: the one before it is over already."""
        proxied = self._proxied
        self._adopted = True
        proxied.target = self._target
        proxied.breaker = proxied.entered = self._entered
        proxied.attempt_s = self.begun_s
        proxied.at_target = True
        proxied.connection = self._connection
        if self._connection is not None:
            self._connection.hand_over(self, proxied)
        proxied.pending = self._pending
        rare.entered = self._service_entered
        rare.charged = True

    def lose(self, outcome: Outcome) -> None:
        """Another attempt has answered (None), or this one has failed (False)."""
        proxied, target = self._proxied, self._target
        service, log, now_s = proxied.service, proxied.means.log, proxied.monotonic()
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon(self)
        target.ended(now_s, outcome, now_s - self.begun_s)
        tell_target(service, target, self._entered, outcome, now_s, log)
        if self._service_entered is not None:
            tell_service(service, self._service_entered, outcome, now_s, log)
        service.budget.give_back(now_s)

    def _fail(self, outcome: Outcome) -> None:
        rare = self._proxied.rare
        if rare is not None and self in rare.hedges:
            rare.hedges.remove(self)
            self.lose(outcome)

    # --- pool.Waiter -----------------------------------------------------------------------------------------

    def connected(self, connection: UpstreamExchange) -> None:
        proxied = self._proxied
        self._pending = None
        self._connection = connection
        if self._adopted:
            proxied.pending = None
            proxied.connection = connection
        request = proxied.request
        connection.send(
            proxied if self._adopted else self,
            proxied.message(request, self._target),
            request.chain.timeouts.attempt_s,
            request.method == b"HEAD",
            True,
            proxied.chunked,
        )

    def connect_failed(self, code: str) -> None:
        self._pending = None
        if self._adopted:
            self._proxied.connect_failed(code)
        else:
            self._fail(None if code == "overloaded" else False)

    # --- client.ResponseReceiver -----------------------------------------------------------------------------

    def request_paused(self, paused: bool) -> None:
        """The whole request has been sent already."""

    def response_head(self, connection: UpstreamExchange, chunks: list[bytes], complete: bool) -> None:
        proxied, rare = self._proxied, self._proxied.rare
        if rare is None or self not in rare.hedges:
            return
        if connection.status >= 500:
            self._fail(False)
            return
        rare.hedges.remove(self)
        self._win(rare)
        proxied.connection = connection  # also when it is done: its trailers are still to be passed on
        proxied.response_head(connection, chunks, complete)

    def _win(self, rare: Rare) -> None:
        """The first attempt is dropped; it has not failed."""
        proxied = self._proxied
        now_s = proxied.monotonic()
        proxied.request.upstream_ms = (now_s - proxied.attempt_s) * 1000.0
        proxied.depart(now_s, None)
        if proxied.pending is not None:
            proxied.pending.cancel()
        if proxied.connection is not None:
            proxied.connection.abandon(proxied)
        proxied.request.note("hedge:won")
        self.adopt(rare)

    def response_body(self, chunks: list[bytes], complete: bool) -> None:
        self._proxied.response_body(chunks, complete)

    def response_failed(self, code: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.reused and not connection.answered and code == "upstream_closed":
            self._fail(None)  # it had closed its idle connection
        else:
            self._fail(False)
