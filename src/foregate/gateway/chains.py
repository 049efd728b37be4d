"""From settings to steps: the policies that a request of a certain route and consumer meets, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec

from foregate.gateway.lately import Lately
from foregate.gateway.policies import make
from foregate.gateway.policies.absent import AbsentPolicy
from foregate.gateway.policies.gate import DOORS
from foregate.gateway.policies.limits.policy import Form, Limits
from foregate.gateway.policies.policy import OWN, Means, NeedBody, Place, Policy, Refuse, Verdict
from foregate.gateway.policies.respond import FixedAnswerStep, RedirectStep
from foregate.gateway.scopes import Resolved, Set, resolve, without_route
from foregate.gateway.shapes import Shape
from foregate.http1.headers import HeaderList
from foregate.kernel.limits import BODY_BYTES_MAX
from foregate.ports.blocks import Cells
from foregate.wire.ai import AiRoute
from foregate.wire.policies import Policies, Timeouts
from foregate.wire.policies import Retry as RetrySettings
from foregate.wire.snapshot import Route

if TYPE_CHECKING:
    from foregate.gateway.ai.step import AiStep, Models
    from foregate.gateway.request import Request
    from foregate.gateway.upstream import ServiceState

Step: TypeAlias = "Callable[[Request], Verdict | None]"
Problems: TypeAlias = "Callable[[Request, Refuse], tuple[int, bytes]]"  # (status, body) as application/json
Answerer: TypeAlias = "Callable[[Request, int, HeaderList], HeaderList]"

BEFORE = ("ip_filter", "cors")  # these come before it is known who asks …
AFTER = ("load_shedding", "bounds")  # … these after it, then limits, …
SHAPING = ("body_schema", "request_transform")
UPGRADING = ("websocket",)
HANDLING = ("cache", "mirror")  # these ask services by themselves
LAST = DOORS  # one of each per service: what they admit is under way
ANSWERING = ("cors", "response_transform")
CONSUMERS = ("plan:", OWN)  # what the scopes of those begin with who are known by then
CHAINS_MAX = 20_000  # for consumers with policies of their own, of all routes; beyond it the unused are built anew
PARTS_MAX = 20_000  # policies of such chains alone; likewise

_TIMEOUTS, _RETRY, _NO_RETRY = Timeouts(), RetrySettings(), RetrySettings(attempts=0)
_encode = msgspec.json.Encoder(order="deterministic").encode


class Chain:
    """The steps, and what the way to the upstream must know. `passed` is what the event says when all let it pass."""

    __slots__ = (
        "_builder",
        "_told",
        "answerers",
        "body_bytes_max",
        "bounded",
        "event_stream",
        "fallback",
        "hedge",
        "limited",
        "names",
        "passed",
        "priority",
        "problems",
        "retry",
        "route",
        "service",
        "service_name",
        "shape",
        "steady",
        "steps",
        "streams",
        "timeouts",
        "voiding",
        "watched",
    )

    def __init__(
        self,
        resolved: Resolved,
        policies: Sequence[Policy],
        answering: Sequence[Policy],
        service: ServiceState | None,
        builder: ChainBuilder | None = None,
        route: Route | None = None,
        shape: Shape | None = None,
    ) -> None:
        """`builder` and `route` make the chains of consumers with policies of their own (`shape`: one of these)."""
        one = resolved.one
        self.service = service
        self.service_name = service.name if service is not None else ""
        self.steps: tuple[Step, ...] = tuple(_step(policy) for policy in policies)
        self.names = tuple(policy.name for policy in policies)
        self.passed = " ".join(f"{name}:passed" for name in self.names)
        self.answerers: tuple[Answerer, ...] = tuple(
            policy.answered for policy in answering if policy.answered is not None
        )
        self.steady = all(policy.steady for policy in answering)
        self.limited = any(resolved.many[kind] for kind in ("rate_limits", "quotas", "token_limits"))
        self.priority: int = _settings(one, "priority", 50)
        self.timeouts: Timeouts = _settings(one, "timeouts", _TIMEOUTS)
        self.retry: RetrySettings = _settings(one, "retry", _RETRY)
        self.hedge = _settings(one, "hedge", None)
        self.fallback = _settings(one, "fallback", None)
        self.event_stream = _settings(one, "event_stream", None)
        self.streams = self.event_stream is not None or self.timeouts.stream_idle_s is not None
        self.watched = self.hedge is not None or self.timeouts.total_s is not None  # its attempts need timers
        bounds = _settings(one, "bounds", None)
        self.body_bytes_max: int = bounds.body_bytes_max if bounds is not None else BODY_BYTES_MAX
        self._builder = builder
        self.route = route
        self.shape = shape
        self.problems: Problems | None = None  # how its refusals are said, where not as problem documents
        self.voiding: Chain | None = None  # the same for writes, which make cached answers void; made by the cache
        self._told: dict[tuple[int, str], str] | None = None  # made when it is needed: most never is

    def of(self, scope: str) -> Chain:
        """The chain of a consumer whose plan or key has policies of its own (`Consumer.scope`)."""
        builder = self._builder
        if builder is None or self.shape is not None or (shape := builder.shapes.get(scope)) is None:
            return self
        return builder.scoped.younger.get((self, shape)) or builder.of(self, shape)

    def inner(self, service: str) -> Chain:
        """What a request meets that a policy of this chain asks of `service` ("": its own). KeyError: unknown."""
        if self._builder is None:
            raise KeyError(service)
        return self._builder.inner(self, service)

    def told(self, request: Request) -> str:
        """What the event says of a request that did not simply pass: see `Request.stopped` and `.outcomes`."""
        step, stopped, said = request.step, request.stopped, request.outcomes
        if said is not None:
            return self._tell(step, stopped, said)
        told = self._told
        if told is None:
            told = self._told = {}
        known = told.get((step, stopped))
        if known is None:  # as many as there are steps, times two
            known = told[step, stopped] = self._tell(step, stopped, [])
        return known

    def _tell(self, step: int, stopped: str, said: list[str]) -> str:
        about = {outcome.partition(":")[0] for outcome in said}
        names = self.names[:step] if stopped else self.names
        last = [f"{self.names[step]}:{stopped}"] if stopped and step < len(self.names) else []
        return " ".join([f"{name}:passed" for name in names if name not in about] + said + last)


class ChainBuilder:
    """Makes chains for one snapshot. Policies whose settings have not changed are taken over from `before`.

    `shapes`: what plans and keys bring along, by `Consumer.scope`.
    """

    def __init__(
        self,
        general: Policies,
        shapes: Mapping[str, Shape],
        means: Means,
        before: Mapping[bytes, Policy],
        services: Mapping[str, ServiceState],
        cells: Callable[[str], Cells] | None = None,
    ) -> None:
        """`cells`: this worker's cells of a named block."""
        self._cells = cells or _no_cells
        self._general = general
        self.shapes = shapes
        self.scoped: Lately[tuple[Chain, Shape], Chain] = Lately(CHAINS_MAX)
        self._parts: Lately[Any, Any] = Lately(PARTS_MAX)
        self._means = means
        self._before = before
        self._services = services
        self.policies: dict[bytes, Policy] = {}  # all that were made, to be taken over by the next builder
        self._shared: dict[Any, Chain] = {}
        self._same: dict[Any, Any] = {}  # what thousands of chains have in common is kept once

    def chain(self, route: Route, service: ServiceState | None) -> Chain:
        """The chain of a route and one of its services. Routes without anything of their own share it."""
        plain = route.policies == Policies() and route.redirect is None and route.answer is None and route.ai is None
        key = (service.name if service is not None else "", route.auth)
        if plain and (known := self._shared.get(key)) is not None:
            return known
        chain = self._build(route, service)
        if plain:
            self._shared[key] = chain
        return chain

    def unmatched(self, last: Policy) -> Chain:
        """Of a request that no route takes: what goes by its address and its form, set globally; then `last`."""
        own = resolve([("", without_route(self._general))])
        policies = [self._make(kind, place) for kind, place in own.one.items()]
        if limits := own.many["rate_limits"]:
            policies.append(self._limits(limits))
        return Chain(own, [*policies, last], [], None)

    def _build(self, route: Route, service: ServiceState | None, shape: Shape | None = None) -> Chain:
        places = [("", self._general)]
        if service is not None:
            places.append((f"service:{service.name}", service.settings.policies))
        places.append((f"route:{route.name}", route.policies))
        outside = resolve(places)
        inside = resolve([*places, *shape.places]) if shape is not None else outside
        policies = [self._make(kind, outside.one[kind]) for kind in BEFORE if kind in outside.one]
        if route.auth:
            methods = [self._method(kind, outside, route.ai is not None) for kind in route.auth]
            policies.append(self._once(("authentication", *methods), lambda: make.authentication(methods, self._means)))
        if (own := inside.one.get("ip_filter")) is not None and own.scope.startswith(CONSUMERS):
            policies.append(self._make("ip_filter", own))
        policies += [self._make(kind, inside.one[kind]) for kind in AFTER if kind in inside.one]
        if limits := [*inside.many["rate_limits"], *inside.many["quotas"]]:
            policies.append(self._limits(limits))
        policies += [self._make(kind, inside.one[kind]) for kind in SHAPING if kind in inside.one]
        policies += [self._make("extension", entry) for entry in inside.many["extensions"]]
        if service is not None:
            policies += [self._make(kind, inside.one[kind]) for kind in (*UPGRADING, *HANDLING) if kind in inside.one]
        problems: Problems | None = None
        if route.redirect is not None:
            policies.append(RedirectStep(route.redirect))
        elif route.answer is not None:
            policies.append(FixedAnswerStep(route.answer))
        elif route.ai is not None:
            policies.append(asks := self._ai(route, route.ai, inside))
            problems = asks.problems
        elif service is not None:
            policies += service.doors
        answering = [self._make(kind, inside.one[kind]) for kind in ANSWERING if kind in inside.one]
        answering += [policy for policy in policies if policy.name not in ANSWERING and policy.answered is not None]
        chain = Chain(inside, policies, answering, service, self, route, shape)
        chain.problems = problems
        if shape is not None:
            return chain
        for part in ("answerers", "steps", "names", "passed"):
            value = getattr(chain, part)
            setattr(chain, part, self._same.setdefault(value, value))
        return chain

    def inner(self, of: Chain, service_name: str) -> Chain:
        """`Chain.inner`: that service's settings and bounds, within those of the route and of whoever asks."""
        service = self._services[service_name] if service_name else of.service
        if service is None:
            raise KeyError(service_name)
        key = ("inner", of, service)
        found: Chain | None = self._parts.get(key)
        if found is None:
            assert of.route is not None  # noqa: S101 - for the type checker: only chains of routes ask
            places = [("", self._general), (f"service:{service.name}", service.settings.policies)]
            places.append((f"route:{of.route.name}", of.route.policies))
            resolved = resolve([*places, *of.shape.places] if of.shape is not None else places)
            self._parts.put(key, found := Chain(resolved, service.doors, [], service))
            if of.route.ai is not None:
                _asks_models(found, resolved, of.route.ai)
        return found

    def _ai(self, route: Route, settings: AiRoute, resolved: Resolved) -> AiStep:
        """The step of a route to models, which answers by itself."""
        from foregate.gateway.ai.step import AiStep, Models

        providers = {name: self._services[name].settings.ai for name in settings.services if name in self._services}
        key = b"ai" + _encode([route.name, settings, providers])
        made = self._known(key, lambda: Models(route.name, settings, providers, self._means, self._cells))
        models = cast("Models", made)
        access = resolved.one.get("models")
        return AiStep(models, resolved.many["token_limits"], access, self._means)

    def of(self, chain: Chain, shape: Shape) -> Chain:
        """The chain of consumers of this shape, instead of `chain`: kept for a while."""
        found = self.scoped.get((chain, shape))
        if found is None:
            assert chain.route is not None  # noqa: S101 - for the type checker: only chains of routes ask
            self.scoped.put((chain, shape), found := self._build(chain.route, chain.service, shape))
        return found

    def _once(self, key: Any, build: Callable[[], Any]) -> Any:
        """What several chains have in common, made once."""
        found = self._same.get(key)
        if found is None:
            found = self._same[key] = build()
        return found

    def _method(self, kind: str, resolved: Resolved, models: bool) -> Policy:
        """How a client may say who it is; an API key needs no settings."""
        return self._make(kind, resolved.one.get(kind) or Set("", make.default_method(kind, models)))

    def _limits(self, places: Sequence[Set]) -> Policy:
        scopes = [OWN if place.scope.startswith(OWN) else place.scope for place in places]
        limits = [place.settings for place in places]
        kept = not any(scope.startswith(CONSUMERS) for scope in scopes)

        def build() -> Policy:
            own, parts = OWN in scopes, self._parts
            key = (Form, own, _encode(limits))
            form = parts.get(key)
            if form is None:
                parts.put(key, form := Form(limits, own))
            return Limits(scopes, form, self._means)

        return self._known(b"limits" + _encode([scopes, limits]), build, kept)

    def _make(self, kind: str, place: Set) -> Policy:
        scope = place.scope if kind == "extension" else ""
        key = b"%s\0%s\0%s" % (kind.encode(), scope.encode(), _encode(place.settings))
        kept = kind == "extension" or not place.scope.startswith(OWN)
        return self._known(key, lambda: make.policy(kind, place.settings, self._means, Place(place.scope)), kept)

    def _known(self, key: bytes, build: Callable[[], Policy], kept: bool = True) -> Policy:
        """`kept`: there are only as many as the configuration has places; others are forgotten and made anew."""
        key = blake2b(key, digest_size=16).digest()
        found: Policy | None = self.policies.get(key) or self._before.get(key)
        if isinstance(found, AbsentPolicy):
            found = None
        if kept:
            self.policies[key] = found = found or build()
        elif found is None and (found := self._parts.get(key)) is None:
            self._parts.put(key, found := build())
        return found


def _no_cells(name: str) -> Cells:
    """Of a builder whose routes count nothing."""
    raise KeyError(name)


def _asks_models(chain: Chain, resolved: Resolved, settings: AiRoute) -> None:
    """What a request to a model meets there: the route tries other models instead of the same again, and answers may
    take long."""
    chain.fallback = chain.hedge = None
    if "retry" not in resolved.one:
        chain.retry = _NO_RETRY
    if "timeouts" not in resolved.one:
        chain.timeouts = Timeouts(attempt_s=settings.answer_timeout_s)
    chain.watched = chain.timeouts.total_s is not None


def _settings(one: Mapping[str, Set], kind: str, default: Any) -> Any:
    return one[kind].settings if kind in one else default


def _step(policy: Policy) -> Step:
    """How the pipeline asks a policy: directly, or once the whole body is there."""
    bytes_max = policy.body_bytes_max
    if not bytes_max:
        return policy.admit

    def with_body(request: Request) -> Verdict | None:
        return NeedBody(bytes_max) if request.body is None else policy.admit(request)

    return with_body


NO_STEPS = Chain(resolve([]), [], [], None)  # of a request that is refused before any policy is asked
