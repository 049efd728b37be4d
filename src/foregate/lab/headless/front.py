"""The gateway's place in a headless run: time limit, retries, circuit breaker and rate limit in their plain forms."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

from foregate.kernel.tasks import spawn
from foregate.lab.gateway_settings import SETTINGS, GatewaySettings
from foregate.lab.headless.policies import Breaker, Bucket
from foregate.lab.model.call import Answer, Call, Closed, Refused
from foregate.lab.model.instance import Instance
from foregate.lab.model.service import Service
from foregate.lab.model.world import World
from foregate.lab.traffic.visits import CLIENTS, ROUTES, Visit, upstream_path
from foregate.wire.event import BreakerOutcome, LimitOutcome, RequestEvent

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
RETRIED = frozenset({502, 503, 504})
ORG = "demo"
ENVIRONMENT = "demo"


class Front(Protocol):
    """Takes a visit and answers it: `done(status)` is called once. Its events are what the gateway would say."""

    def send(self, visit: Visit, done: Callable[[int], None]) -> None: ...


class PlainFront:
    """The default front. `emit` gets one event per request, at the moment it is over."""

    def __init__(
        self,
        world: World,
        emit: Callable[[RequestEvent], None],
        *,
        epoch_s: float,
        seed: int,
        on_error: Callable[[str, BaseException], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.emit = emit
        self.epoch_s = epoch_s
        self.on_error = on_error
        self.rng = Random(f"{seed}/front")  # noqa: S311 - a simulation wants repeatable chance
        self.services = world.services
        self.inflight = dict.fromkeys(world.services, 0)
        self.breakers = {
            instance.name: Breaker(SETTINGS[name].failures, SETTINGS[name].open_s)
            for name, service in world.services.items()
            for instance in service.instances
        }
        self.sent_to = dict.fromkeys(self.breakers, 0)  # calls under way, by instance
        self._buckets = {
            (route.path, client.key_id): Bucket(route.per_s, route.burst)
            for route in ROUTES
            for client in CLIENTS
            if route.per_s
        }
        self._prefix = f"{seed & 0xFFFFFFFFFFFF:012x}"
        self._count = 0

    def send(self, visit: Visit, done: Callable[[int], None]) -> None:
        self._count += 1
        limit: LimitOutcome = "none"
        if visit.route.per_s:
            bucket = self._buckets[visit.route.path, visit.client.key_id]
            limit = "allowed" if bucket.admit(self.loop.time()) else "refused"
        exchange = _Exchange(self, visit, done, limit, f"{self._prefix}{self._count:020x}")
        if limit == "refused":
            exchange.finish(429, "rate_limited")
        else:
            exchange.attempt()

    def choose(self, service: Service, now_s: float, avoid: Instance | None) -> Instance | None:
        """The least loaded instance whose circuit admits a call, in turn where several are; `avoid` at last."""
        instances = service.instances
        breakers = self.breakers
        service.turn = start = (service.turn + 1) % len(instances)
        best: Instance | None = None
        for instance in instances[start:] + instances[:start]:
            if instance is avoid or not breakers[instance.name].admits(now_s):
                continue
            if best is None or self.sent_to[instance.name] < self.sent_to[best.name]:
                best = instance
        if best is None and avoid is not None and breakers[avoid.name].admits(now_s):
            return avoid
        return best


class _Exchange:
    """One request from its arrival to its event."""

    __slots__ = (
        "at_instance", "attempts", "began_s", "breaker", "call", "done", "front", "id", "inflight", "instance",
        "limit", "over", "patience", "settings", "started_s", "timer", "upstream_s", "visit",
    )  # fmt: skip

    def __init__(
        self, front: PlainFront, visit: Visit, done: Callable[[int], None], limit: LimitOutcome, request_id: str
    ) -> None:
        self.front = front
        self.visit = visit
        self.done = done
        self.limit = limit
        self.id = request_id
        self.attempts = 0
        self.breaker: BreakerOutcome = "none"
        self.instance: Instance | None = None
        self.upstream_s = 0.0
        self.over = False
        self.at_instance = False
        self.began_s = self.started_s = front.loop.time()
        self.settings: GatewaySettings = SETTINGS[visit.route.service]
        self.call = Call(visit.method, "", b"")
        self.timer: asyncio.TimerHandle | None = None
        self.patience: asyncio.TimerHandle | None = None
        front.inflight[visit.route.service] += 1
        self.inflight = front.inflight[visit.route.service]
        if visit.client.patience_s < self.settings.timeout_s * (1 + self.settings.attempts):
            self.patience = front.loop.call_later(visit.client.patience_s, self.leave)

    def attempt(self) -> None:
        """Send it to an instance, or refuse it when every circuit is open."""
        if self.over:
            return
        front = self.front
        service = front.services[self.visit.route.service]
        self.started_s = front.loop.time()
        instance = front.choose(service, self.started_s, self.instance)
        if instance is None:
            self.breaker = "open"
            self.finish(503, "circuit_open")
            return
        self.breaker = front.breakers[instance.name].enter()
        self.instance = instance
        self.at_instance = True
        front.sent_to[instance.name] += 1
        self.attempts += 1
        call = self.call = Call(self.visit.method, upstream_path(self.visit), self.visit.body)
        self.timer = front.loop.call_later(self.settings.timeout_s, self.timed_out, call)
        spawn(self._carry(service, call, instance), name="call", on_error=front.on_error)

    async def _carry(self, service: Service, call: Call, instance: Instance) -> None:
        """Runs to its end even when nobody waits any more: servers do not notice that a caller gave up."""
        try:
            answer = await service.handle(call, instance)
        except Refused:
            self.ended(call, 502, "upstream_refused", None)
        except Closed:
            self.ended(call, 502, "upstream_closed", None)
        else:
            self.ended(call, answer.status, "", answer)

    def timed_out(self, call: Call) -> None:
        """The head did not come in time (a stream that has begun goes on)."""
        if call.first_byte_s is None:
            self.ended(call, 504, "upstream_timeout", None)

    def ended(self, call: Call, status: int, error: str, answer: Answer | None) -> None:
        """An attempt is over: learn from it, then retry or finish."""
        if self.over or call is not self.call or self.instance is None:
            return
        if self.timer is not None:
            self.timer.cancel()
        now_s = self.front.loop.time()
        self.upstream_s = (call.first_byte_s or now_s) - self.started_s
        self.front.breakers[self.instance.name].record(status < 500, now_s)
        if not self.retries(status, now_s):
            self.finish(status, error, answer.body_bytes if answer is not None else 0)

    def retries(self, status: int, now_s: float) -> bool:
        """Plan another attempt, if this failure deserves one and somebody would take it then."""
        if status not in RETRIED or self.attempts > self.settings.attempts or self.visit.method not in IDEMPOTENT:
            return False
        pause_s = min(self.settings.base_s * 2 ** (self.attempts - 1), self.settings.max_s)
        pause_s *= self.front.rng.uniform(0.8, 1.2)
        service = self.front.services[self.visit.route.service]
        if self.front.choose(service, now_s + pause_s, self.instance) is None:
            return False
        self.depart()
        self.call = Call(self.visit.method, "", b"")  # what the old attempt may still bring no longer counts
        self.front.loop.call_later(pause_s, self.attempt)
        return True

    def depart(self) -> None:
        """The instance is rid of this attempt, as far as the front knows."""
        if self.at_instance and self.instance is not None:
            self.at_instance = False
            self.front.sent_to[self.instance.name] -= 1

    def leave(self) -> None:
        """The client has lost its patience."""
        if not self.over:
            if self.at_instance and self.instance is not None:
                self.front.breakers[self.instance.name].left()
            self.finish(499, "client_closed")

    def finish(self, status: int, error: str, size: int = 0) -> None:
        """Say what happened, to the client and as an event."""
        front = self.front
        visit = self.visit
        service = visit.route.service
        self.over = True
        for timer in (self.timer, self.patience):
            if timer is not None:
                timer.cancel()
        self.depart()
        front.inflight[service] -= 1
        now_s = front.loop.time()
        first_s = self.call.first_byte_s or (now_s if status != 499 else self.began_s)
        front.emit(
            RequestEvent(
                front.epoch_s + now_s, ORG, service, visit.route.path, visit.method, status,
                (now_s - self.began_s) * 1e3, self.upstream_s * 1e3, len(visit.body), size, visit.client.key_id,
                ENVIRONMENT, self.id, self.id, self.id[16:], self.attempts, self.limit, self.breaker, "none", error,
                self.instance.name if self.instance is not None else "", self.inflight, (first_s - self.began_s) * 1e3,
            )
        )  # fmt: skip
        self.done(status)
