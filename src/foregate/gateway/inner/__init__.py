"""Requests that a policy of ours asks of services, and the answers it gets: what the cache, AI routes and mirrors need.

A policy that answers by itself returns `Handle(begin)`. `begin(request, asking)` is called once, after all steps before
it; from there the policy owns the client's request until `asking.finish(request, …)`, which it calls exactly once, on
every way. It may ask any number of times:

    inner = asking.ask(request, receiver)                          # the same, of the chain's own service
    inner = asking.ask(request, receiver, service="other", path=b"/v1/chat", body=body, kept=lines)

Each such request meets the service's own bounds (bulkhead, adaptive concurrency), circuits, retries, hedges, timeouts
and fallbacks as any other does, but leaves no event: its facts (`inner.facts`, `gateway.facts`) are for the event of
the client's request. `receiver` (`AnswerReceiver`; `Relay` is one that passes the answer on to the client) is told the
answer as it comes, never before `ask` has returned; a failure of ours (timeout, circuit open, …) is told as the problem
that it would have been, with `AnswerHead.error` set. `inner.pause(True)` is back-pressure, `inner.cancel()` ends it:
nothing is told any more. It may outlive the client's request.
"""

from foregate.gateway.inner.asking import Asking
from foregate.gateway.inner.exchange import AnswerHead, AnswerReceiver, InnerExchange
from foregate.gateway.inner.proxied import InnerProxied
from foregate.gateway.inner.relay import Relay

__all__ = ["AnswerHead", "AnswerReceiver", "Asking", "InnerExchange", "InnerProxied", "Relay"]
