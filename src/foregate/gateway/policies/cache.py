"""Answers kept to be given again: the policy. How it is done stands in `gateway.cache`."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from foregate.gateway.cache import OTHER_METHOD, SAFE, Flow, urls
from foregate.gateway.policies.policy import Means, Place, Policy, Switch, Verdict
from foregate.http1.headers import HeaderList
from foregate.wire.cache import Cache

if TYPE_CHECKING:
    from foregate.gateway.chains import Chain
    from foregate.gateway.request import Request


class CachePolicy(Policy):
    """Reads are given or fetched; after a write that succeeds, what it made void is not given any more."""

    name = "cache"

    def __init__(self, settings: Cache, means: Means, place: Place) -> None:
        store = means.cache
        self._flow: Flow | None = None
        if store is not None:
            self._flow = flow = Flow(settings, store, means.clock, means.not_found, self._other)
            self.admit = flow.verdict  # type: ignore[method-assign] # one call less for each hit

    def _other(self, request: Request) -> Verdict | None:
        """A request that reads nothing."""
        if self._flow is not None:
            self._flow.pass_on(request, OTHER_METHOD)
        return None if request.method in SAFE else Switch(self._watching(request.chain))

    def _watching(self, chain: Chain) -> Chain:
        """The same chain for a write: its answer's head is looked at. Reads shall not pay for that."""
        found = chain.voiding
        if found is None:
            found = chain.voiding = copy(chain)
            found.answerers = (*chain.answerers, self._answered)
            found.steady = False
        return found

    def _answered(self, request: Request, status: int, headers: HeaderList) -> HeaderList:
        if self._flow is not None:
            void = urls(request.proto, request.host, request.exchange.target, status, headers)
            self._flow.void(request, void)
        return headers
