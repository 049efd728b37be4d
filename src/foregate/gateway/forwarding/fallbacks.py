"""Answering with something else than a failure: another service, or a fixed answer."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from foregate.gateway import layout
from foregate.gateway.forwarding.rare import rare_of
from foregate.gateway.heads import status_line
from foregate.gateway.policies import fallback
from foregate.gateway.policies.adaptive_concurrency import OVERLOADED

if TYPE_CHECKING:
    from foregate.gateway.forwarding.proxied import Proxied
    from foregate.gateway.request import Request
    from foregate.gateway.upstream import ServiceState
    from foregate.wire.policies import Fallback


def takes(proxied: Proxied, failure: str) -> bool:
    """Whether this failure (a code, or a status as text) is answered by a fallback. Asked once no attempt is left.

    True, and another service holds a place for the request: then `fall_back` is to follow.
    """
    settings = proxied.request.chain.fallback
    if settings is None or not fallback.applies(settings, failure):
        return False
    if proxied.exchange.answered or (proxied.rare is not None and proxied.rare.fallen_back):
        return False
    if settings.service is None:
        return proxied.request.protocol != "grpc"  # to such a client a body of our choosing says nothing
    service = proxied.means.services.get(settings.service)
    return proxied.body is not None and service is not None and _let_in(proxied.request, service)


def _let_in(request: Request, service: ServiceState) -> bool:
    """Whether the other service has a place at once: nobody waits there with a failure in hand.

    What one door has given is given back when the request is over, which it is soon where the next one does not open.
    """
    if all(door.enters(request) for door in service.doors):
        return True
    request.note("fallback:refused")
    return False


def fall_back(proxied: Proxied, code: str, now_s: float, status: int = 0) -> None:
    """Do it. `code`: of the failure; "" where it was an upstream's answer, of `status`."""
    settings = proxied.request.chain.fallback
    assert settings is not None  # noqa: S101 - `takes` has looked
    proxied.service.cells[layout.FALLBACKS] += 1.0
    if settings.service is not None:
        for door in proxied.service.doors:
            door.fell_back(code == "upstream_timeout" or status in OVERLOADED)
        _go_elsewhere(proxied, settings.service, now_s)
    else:
        _answer(proxied, settings, code, now_s)


def _go_elsewhere(proxied: Proxied, name: str, now_s: float) -> None:
    """The other service is asked the same; its time limits begin anew, the attempts that are left stay."""
    rare, request = rare_of(proxied), proxied.request
    rare.stop_waiting()
    rare.release(proxied.service, now_s)
    rare.fallen_back = True
    request.note(f"fallback:service:{proxied.service.name}")  # who failed; the event names who answered
    request.answer_lines += fallback.HEADER
    proxied.service.inflight -= 1
    request.service = proxied.service = service = proxied.means.services[name]
    chain = request.chain = copy(request.chain)  # all that was set for the route stays …
    chain.service, chain.service_name = service, name  # … and the event says who answered
    service.begun += 1
    service.inflight += 1
    proxied.target = None
    proxied.attempt(now_s)


def _answer(proxied: Proxied, settings: Fallback, error: str, now_s: float) -> None:
    request = proxied.request
    proxied.first_byte_ms = (now_s - request.started_s) * 1000.0
    request.note("fallback:answer")
    proxied.finish(settings.status, error, now_s)
    respond_fixed(request, settings, proxied.service.header_line, now_s)


def respond_fixed(request: Request, settings: Fallback, service_line: bytes, now_s: float) -> None:
    """Write the fixed answer. The event has been left already."""
    exchange, body = request.exchange, (settings.body or "").encode()
    head = b"%s%s%s%s%sx-gateway-response-time: %.2f\r\nx-request-id: %s\r\n" % (
        status_line(settings.status),
        exchange.date_line,
        fallback.fixed_head(settings),
        request.answer_lines,
        service_line,
        (now_s - request.started_s) * 1000.0,
        request.request_id.encode(),
    )
    exchange.send_head(settings.status, head, len(body))
    exchange.write(body)
    exchange.end()
    exchange.flush()
