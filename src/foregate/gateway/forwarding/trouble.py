"""Everything on a request's way that is not ordinary: what failed, what is tried then, what the client is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from foregate.gateway import layout
from foregate.gateway.answers import respond_problem, retry_after_line
from foregate.gateway.forwarding import fallbacks, hedging
from foregate.gateway.forwarding.event_stream import Heartbeat, is_event_stream
from foregate.gateway.forwarding.rare import rare_of
from foregate.gateway.policies import retry
from foregate.http1.headers import encode
from foregate.kernel.errors import ERRORS

if TYPE_CHECKING:
    from foregate.gateway.forwarding.proxied import Proxied
    from foregate.http1.asking import UpstreamExchange
    from foregate.http1.headers import HeaderList

BLAMED_SHARE = 0.5  # of the total time limit: an attempt that took less of it is not to blame for its passing


def watch(proxied: Proxied, now_s: float) -> None:
    """An attempt begins of a request that has a total time limit, may be hedged, or whose service has a breaker."""
    rare = rare_of(proxied)
    if proxied.service.breaker is not None:
        rare.entered = proxied.service.breaker.enter(now_s)
    chain = proxied.request.chain
    loop = asyncio.get_running_loop()
    if chain.timeouts.total_s is not None and rare.total_timer is None:
        begun_s = now_s if rare.fallen_back else proxied.request.started_s
        left_s = max(0.0, begun_s + chain.timeouts.total_s - now_s)
        rare.total_timer = loop.call_later(left_s, _total_time_over, proxied)
    if chain.hedge is not None and rare.hedge_timer is None and proxied.request.websocket is None:
        rare.hedge_timer = loop.call_later(chain.hedge.after_s, hedging.fire, proxied)


# --- an attempt has failed -------------------------------------------------------------------------------------


def answer_failed(
    proxied: Proxied, connection: UpstreamExchange, complete: bool, now_s: float, status: int = 0
) -> bool:
    """A head of 500 or more has come, or one that is worth such a `status`. True when it is dropped for another attempt
    or a fallback."""
    status = status or connection.status
    proxied.depart(now_s, False)
    proxied.connection = None
    replaced = False
    if not hedging.take_over(proxied) and not _retry_later(proxied, status, "", now_s):
        replaced = fallbacks.takes(proxied, str(status))
        if not replaced:
            proxied.connection = connection
            return False
    if not complete:
        connection.abandon(proxied)
    if replaced:
        fallbacks.fall_back(proxied, "", now_s, status)
    return True


def response_failed(proxied: Proxied, code: str) -> None:
    """The upstream has closed, spoken nonsense, or been silent for too long."""
    connection, proxied.connection = proxied.connection, None
    now_s = proxied.monotonic()
    if proxied.status:
        proxied.depart(now_s, False)
        proxied.finish(proxied.status, code, now_s)
        proxied.exchange.abort()
        return
    if connection is not None and code == "upstream_closed" and _send_again(proxied, connection):
        return
    attempt_failed(proxied, code)


def _send_again(proxied: Proxied, connection: UpstreamExchange) -> bool:
    """Within the same attempt, for it is no failure of anybody: the upstream had closed its idle connection, or says
    that it has looked at nothing of the request. Once; whoever does so again has failed."""
    target = proxied.target
    dead = connection.reused and not connection.answered and proxied.request.repeatable
    if not (dead or connection.unprocessed) or target is None or proxied.body is None:
        return False
    rare = rare_of(proxied)
    if rare.sent_again:
        return False
    rare.sent_again = True
    proxied.pending = target.pool.connect(proxied)
    return True


def attempt_failed(proxied: Proxied, code: str) -> None:
    """No answer has come of it."""
    now_s = proxied.monotonic()
    proxied.request.upstream_ms = (now_s - proxied.attempt_s) * 1000.0
    proxied.depart(now_s, None if ERRORS[code].fault == "ours" else False)
    if hedging.take_over(proxied) or _retry_later(proxied, 0, code, now_s):
        return
    give_up(proxied, code)


def _retry_later(proxied: Proxied, status: int, code: str, now_s: float) -> bool:
    """Plan another attempt, if this one deserves it, somebody would take it, and the budget bears it."""
    request, service = proxied.request, proxied.service
    if proxied.exchange.answered:
        return False
    settings, replayable = request.chain.retry, proxied.body is not None
    attempted = retry.Attempted(proxied.attempts, status, code, request.repeatable, replayable, proxied.status != 0)
    wait_s = retry.decide(attempted, settings, proxied.means.rng)
    if wait_s is None:
        return False
    then_s = now_s + wait_s
    total_s = request.chain.timeouts.total_s
    if total_s is not None and then_s >= request.started_s + total_s:
        return False  # it would be cut off before it could answer
    if service.breaker is not None and not service.breaker.admits(then_s):
        return False
    if service.choose(then_s, service.subject_of(request) if service.hashes else None, proxied.target) is None:
        return False  # nobody would take it then: better the failure that we have than a wait for another one
    if not service.budget.take(now_s, service.begun, service.inflight, settings.budget, settings.budget_min):
        service.cells[layout.BUDGET_EXHAUSTED] += 1.0
        request.note("retry:budget_exhausted")
        return False
    rare_of(proxied).charged = True
    proxied.pending = asyncio.get_running_loop().call_later(wait_s, _attempt_again, proxied)
    return True


def _attempt_again(proxied: Proxied) -> None:
    proxied.pending = None
    rare_of(proxied).sent_again = False
    proxied.service.cells[layout.RETRIES] += 1.0
    proxied.attempt(proxied.monotonic())


# --- there will be no further attempt --------------------------------------------------------------------------


def circuit_open(proxied: Proxied, now_s: float) -> None:
    """No target takes it, or the service's breaker does not."""
    service = proxied.service
    proxied.breaker = "open"
    service.cells[layout.BROKEN] += 1.0
    wait_s = service.retry_after_s(now_s)
    if service.breaker is not None and not service.breaker.admits(now_s):
        wait_s = max(wait_s, service.breaker.open_until_s - now_s)
    give_up(proxied, "circuit_open", retry_after_line(wait_s))


def give_up(proxied: Proxied, code: str, lines: bytes = b"") -> None:
    """Fall back, or answer with a problem of our own. `lines`: further header lines, each with CRLF."""
    now_s = proxied.monotonic()
    if fallbacks.takes(proxied, code):
        fallbacks.fall_back(proxied, code, now_s)
        return
    exchange, request = proxied.exchange, proxied.request
    proxied.first_byte_ms = first_byte_ms = (now_s - request.started_s) * 1000.0
    lines += request.answer_lines + proxied.service.header_line
    lines += b"x-gateway-response-time: %.2f\r\n" % first_byte_ms
    proxied.finish(ERRORS[code].status, code, now_s)
    respond_problem(exchange, code, request.request_id, lines)
    exchange.flush()


def unsendable(proxied: Proxied, connection: UpstreamExchange, error: Exception) -> None:
    """A policy has made something of the request that cannot be sent."""
    proxied.means.failures.failed("request_failed", error, route=proxied.request.route.name)
    proxied.connection = None
    connection.close()
    proxied.depart(proxied.monotonic(), None)
    give_up(proxied, "internal")


def _total_time_over(proxied: Proxied) -> None:
    """No answer has begun within the total time limit."""
    rare_of(proxied).total_timer = None
    time_over(proxied, proxied.request.chain.timeouts.total_s or 0.0, "timeouts:total")


def time_over(proxied: Proxied, limit_s: float, note: str) -> None:
    """A limit for the whole request has passed, and no answer has begun."""
    if proxied.status or proxied.finished:
        return
    now_s = proxied.monotonic()
    if proxied.at_target:
        took_s = now_s - proxied.attempt_s
        proxied.request.upstream_ms = took_s * 1000.0
        blamed = took_s >= BLAMED_SHARE * limit_s
        proxied.depart(now_s, False if blamed and proxied.exchange.told_complete else None)
    _drop_attempts(proxied)
    proxied.request.note(note)
    give_up(proxied, "upstream_timeout")


def client_left(proxied: Proxied, code: str) -> None:
    """The client went away, or broke a bound of the engine: `code` says which."""
    now_s = proxied.monotonic()
    proxied.depart(now_s, None)
    _drop_attempts(proxied)
    proxied.finish(ERRORS[code].status, code, now_s)


def _drop_attempts(proxied: Proxied) -> None:
    """Nobody waits for them any more."""
    pending = proxied.pending
    if pending is not None:
        pending.cancel()
        proxied.pending = None
        if isinstance(pending, asyncio.Task):  # a connection to come; else a retry
            proxied.waited()
    connection, proxied.connection = proxied.connection, None
    if connection is not None:
        connection.abandon(proxied)
    if proxied.rare is not None:
        proxied.rare.stop_waiting()


# --- answers that go on ----------------------------------------------------------------------------------------


def stream_begins(proxied: Proxied, connection: UpstreamExchange) -> None:
    """The head of an answer that goes on has been written, and streams have settings of their own here."""
    chain, events = proxied.request.chain, is_event_stream(connection.headers)
    idle_s = chain.timeouts.stream_idle_s
    if idle_s is not None and (events or proxied.request.protocol == "grpc"):
        connection.timeout_s = idle_s
    if chain.event_stream is not None and events and proxied.request.inner is None:  # a heartbeat is no part of it
        rare_of(proxied).heartbeat = Heartbeat(proxied.exchange, chain.event_stream.heartbeat_s)


# --- answers that policies change ------------------------------------------------------------------------------


def reshaped(proxied: Proxied, connection: UpstreamExchange, complete: bool) -> HeaderList | None:
    """The answer's header fields as the policies want them; None when one of them failed and the client was told so."""
    headers = list(connection.headers)  # the connection's own may serve the next answer too
    request = proxied.request
    try:
        for answered in request.chain.answerers:
            headers = answered(request, connection.status, headers)
        encode(headers)  # raises for what is no field, or would break out of its line
    except Exception as error:  # noqa: BLE001 - whatever a policy does, the request gets its answer
        proxied.means.failures.failed("policy_failed", error, route=request.route.name)
        proxied.depart(proxied.monotonic(), None)
        proxied.status = 0
        proxied.connection = None
        if not complete:
            connection.abandon(proxied)
        give_up(proxied, "internal")
        return None
    return headers
