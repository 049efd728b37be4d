"""Where a configuration is tried: its routes, keys and limits as a worker would have them, with a clock of its own."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.limits import open_limits
from foregate.app.replay.recorded import Recorded
from foregate.gateway.chains import Chain
from foregate.gateway.match import Match
from foregate.gateway.policies import make
from foregate.gateway.policies.gate import Door
from foregate.gateway.policies.policy import ANYBODY, Answer, Consumer, Means, Place, Policy, Refuse, Wait
from foregate.gateway.request import Request
from foregate.gateway.routes import RouteEntry
from foregate.gateway.table import build
from foregate.gateway.upstream import Services
from foregate.http1.deadlines import Deadlines
from foregate.http1.exchange import Exchange
from foregate.http1.head import RequestHead
from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ERRORS
from foregate.kernel.slices import whole
from foregate.wire.policies import NO_POLICIES
from foregate.wire.snapshot import Key, Snapshot

# What can be said from what was recorded. Others need bodies, secrets or the state of services: they are let pass.
DECIDED = frozenset({"ip_filter", "rate_limits", "redirect", "answer", "route"})
_BAD_CREDENTIALS = frozenset({"key_invalid", "token_invalid", "signature_invalid"})
_WITH_HEADERS = frozenset({"cors", "bounds"})
_PEPPER = b"foregate config replay"


class Would(NamedTuple):
    """What would become of a request: `refused` and `status` of our own answer; "" and 0 where `service` is asked."""

    route: str
    service: str
    refused: str
    status: int = 0


class Stand:
    """Call `ask` in the order of the requests' times. `folder` is for the limits that are counted here."""

    def __init__(self, snapshot: Snapshot, folder: Path) -> None:
        self._clock = ManualClock(0.0)
        self._rng = random.Random(0)  # noqa: S311 - which share of a split, where it is not sticky
        self._keys: Mapping[str, Key] = {key.id: key for key in snapshot.keys}
        self._plans = {plan.name for plan in snapshot.plans}
        self._under_way: list[tuple[float, int, Request]] = []
        self._number = itertools.count()
        blocks = open_blocks(folder / "counters.bin", 1, 0)
        self._limits = open_limits(folder / "limits.bin", 1, 0)
        means = Means(
            clock=self._clock,
            rng=self._rng,
            limits=self._limits,
            fetch=_fetch,
            log=_unheard,
            lateness_s=lambda: 0.0,
            consumers=lambda raw: None,
            extensions=dict.fromkeys(_extensions(snapshot), lambda settings: Policy()),
        )
        services = Services(self._clock, Deadlines(self._clock, tick_s=60.0), self._rng, _unheard, door=_door(means))
        self._table = whole(build(snapshot, means=means, services=services, blocks=blocks, pepper=_PEPPER, before=None))

    def close(self) -> None:
        self._limits.close()

    def ask(self, recorded: Recorded) -> Would:
        """What this configuration would have made of it."""
        self._advance(recorded.time_s)
        headers = recorded.headers or []
        path, query, host = recorded.path.encode("latin-1"), recorded.query.encode("latin-1"), recorded.host.encode()
        method = recorded.method.encode()
        head = RequestHead(host=host, content_length=recorded.body_bytes or None)
        exchange = Exchange(cast("Any", _Peer(recorded.client)), method, path, "1.1", head, headers, True, 1 << 40)
        request = Request(cast("Any", exchange), path, b"?" + query if query else b"", self._clock.monotonic())
        found = self._table.router.find(method, host, path, query, headers)
        if isinstance(found, Match):
            request.end, request.params = found.end, found.params
            return self._walk(request, found.value, recorded)
        return self._walk(request, self._table.unmatched, recorded)

    def _advance(self, time_s: float) -> None:
        """Let time pass, and those requests end that ended in between."""
        while self._under_way and self._under_way[0][0] <= time_s:
            self._set(self._under_way[0][0])
            self._end(heapq.heappop(self._under_way)[2])
        self._set(time_s)

    def _set(self, time_s: float) -> None:
        if self._clock.now() == 0.0:
            self._clock.jump_to(time_s)
        self._clock.advance(max(0.0, time_s - self._clock.now()))

    def _end(self, request: Request) -> None:
        for release in request.at_end or ():
            release(request)
        request.at_end = None

    def _walk(self, request: Request, entry: RouteEntry, recorded: Recorded) -> Would:
        request.route = entry
        chain = entry.chain
        if entry.split is not None:
            subject = (recorded.key_id or request.client).encode()
            chain = entry.split.pick(subject) if entry.route.sticky else entry.split.at(self._rng.random())
        if entry.route.auth:
            consumer = self._consumer(recorded)
            if isinstance(consumer, str):
                return Would(entry.name, chain.service_name, consumer, ERRORS[consumer].status)
            request.consumer = consumer
            chain = chain.of(consumer.scope)
        request.chain = chain
        would = self._steps(request, entry, chain, recorded)
        heapq.heappush(self._under_way, (recorded.time_s + recorded.took_s, next(self._number), request))
        return would

    def _steps(self, request: Request, entry: RouteEntry, chain: Chain, recorded: Recorded) -> Would:
        for name, step in zip(chain.names, chain.steps, strict=True):
            if name not in DECIDED and not (name in _WITH_HEADERS and recorded.headers is not None):
                continue
            verdict = step(request)
            if isinstance(verdict, Refuse):
                return Would(entry.name, chain.service_name, verdict.code, ERRORS[verdict.code].status)
            if isinstance(verdict, Answer):
                return Would(entry.name, "", "", verdict.status)
            assert verdict is None or isinstance(verdict, Wait), verdict  # noqa: S101 - the others are not asked
        if recorded.body_bytes > chain.body_bytes_max:
            return Would(entry.name, chain.service_name, "body_too_large", ERRORS["body_too_large"].status)
        return Would(entry.name, chain.service_name, "")

    def _consumer(self, recorded: Recorded) -> Consumer | str:
        """Who asked, by the id that was recorded; or the code with which nobody gets in."""
        if not recorded.key_id:
            if recorded.refused in _BAD_CREDENTIALS:
                return recorded.refused
            if recorded.headers is not None:
                return ANYBODY  # whatever it bore as credentials: secrets are not looked at
            return "key_missing"
        key = self._keys.get(recorded.key_id)
        if key is None:  # of a token, or withdrawn
            return Consumer(recorded.key_id) if ":" in recorded.key_id else "key_invalid"
        scope = (
            f"key:{key.id}" if key.policies != NO_POLICIES else f"plan:{key.plan}" if key.plan in self._plans else ""
        )
        return Consumer(key.id, key.org, key.plan, scope, key.name)


class _Peer:
    """Stands for the connection of a request that has long been answered."""

    underscores = congested = False

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.context = self


def _extensions(snapshot: Snapshot) -> set[str]:
    places = [snapshot.policies, *(service.policies for service in snapshot.services)]
    places += [route.policies for route in snapshot.routes]
    places += [plan.policies for plan in snapshot.plans]
    places += [key.policies for key in snapshot.keys]
    return {extension.name for policies in places for extension in policies.extensions}


def _door(means: Means) -> Callable[[str, Any, str], Door]:
    return lambda kind, settings, service: cast("Door", make.policy(kind, settings, means, Place("", service)))


def _fetch(url: str) -> Awaitable[bytes]:
    raise OSError("nothing is fetched while a configuration is tried")


def _unheard(what: str, facts: dict[str, object]) -> None:
    """Nothing happens here that is worth a line."""
