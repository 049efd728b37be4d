"""The shape of `foregate.yaml`. Every key has a default; an unknown or misplaced one refuses to start.

What a policy takes stands in `wire.policies`, and is derived from there. `foregate config schema` prints all of it as
JSON Schema.
"""

import re
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from foregate.app.config import forms
from foregate.app.config.addresses import Address, address, loopback, parse_address, parse_listener, parse_target
from foregate.app.config.derive import DERIVED, Derived
from foregate.app.config.problems import Path
from foregate.app.config.strict import Strict
from foregate.app.config.telemetry import Telemetry
from foregate.wire import policies, snapshot
from foregate.wire.abuse import Abuse
from foregate.wire.ai import AiRoute, Provider
from foregate.wire.cache import CacheStorage
from foregate.wire.canary import Canary
from foregate.wire.match import HeaderRule, QueryRule, Rule
from foregate.wire.objective import Objective

CANARY_UNITS = 1_000  # a canary's percentages are kept in thousandths
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ROUTE_NAME = re.compile(r"[!-~]{1,128}")
AUTH_METHODS = get_args(snapshot.AuthMethod)
TEXT, MANY = "(text)", "(many)"  # marks in pydantic's paths, which people never see

ConditionPath = Annotated[str, Field(min_length=1, max_length=1_024)]


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a name: letters, digits, ".", "_" and "-", 63 at most')
    return text


def _route_name(text: str) -> str:
    if _ROUTE_NAME.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a name: visible ASCII without spaces, 128 at most')
    return text


def _target(text: str) -> str:
    parse_target(text)
    return text


def _store(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("redis", "rediss", "valkey", "valkeys", "unix") or not (url.hostname or url.path):
        raise ValueError("is not a URL like redis://127.0.0.1:6379/0")
    return text


def _store_secret(value: Any) -> Any:
    """Passwords come from the environment."""
    if isinstance(value, str) and not isinstance(value, forms.FromEnvironment) and "@" in value:
        raise ValueError("holds a password: write ${env:NAME} for it")
    return value


def _host(text: str) -> str:
    """`keep`: the client's own."""
    if re.fullmatch(r"[A-Za-z0-9._\[\]:-]{1,255}", text) is None:
        raise ValueError(f'"{text}" is not a host like orders.internal:8080')
    return "" if text == "keep" else text


def _kind_of(value: Any) -> str:
    return TEXT if isinstance(value, str) else MANY


def _auth(value: Any) -> Any:
    """`none` → (), `jwt` → (jwt,)."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
        raise ValueError(f"must be none, or one or several of {', '.join(AUTH_METHODS)}")
    if given == ["none"]:
        return ()
    for each in given:
        if each not in AUTH_METHODS:
            alone = " (none stands alone)" if each == "none" else ""
            raise ValueError(f'"{each}" is not one of {", ".join(AUTH_METHODS)}, none{alone}')
    if not given or len(set(given)) != len(given):
        raise ValueError("names no method, or one twice: write none for a route that is open to all")
    return tuple(given)


def _place(scope: str) -> Derived:
    taken = policies.SCOPES
    return Derived(frozenset(name for name, scopes in taken.items() if scope not in scopes))


Name = Annotated[str, AfterValidator(_name)]
RouteName = Annotated[str, AfterValidator(_route_name)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
TargetUrl = Annotated[str, AfterValidator(_target)]
Network = Annotated[str, AfterValidator(forms.network)]
Auth = Annotated[
    tuple[snapshot.AuthMethod, ...],
    BeforeValidator(_auth),
    WithJsonSchema(
        {
            "oneOf": [
                {"enum": ["none", *AUTH_METHODS]},
                {"type": "array", "items": {"enum": list(AUTH_METHODS)}, "minItems": 1, "uniqueItems": True},
            ]
        }
    ),
]
GlobalPolicies = Annotated[policies.Policies, _place("global")]
ServicePolicies = Annotated[policies.Policies, _place("service")]
RoutePolicies = Annotated[policies.Policies, _place("route")]
PlanPolicies = Annotated[policies.Policies, _place("plan")]
KeyPolicies = Annotated[policies.Policies, _place("key")]


def no_policies() -> policies.Policies:
    """Nothing set at this place."""
    return policies.NO_POLICIES


class ListenOn(Strict):
    """One address of the gateway; with certificates it speaks TLS and chooses among them by name (SNI)."""

    address: Annotated[str, AfterValidator(address)]
    tls: Annotated[tuple[Annotated[snapshot.Certificate, DERIVED], ...], Field(max_length=1_000)] = ()
    http2: bool = Field(True, description="By ALPN over TLS, with prior knowledge without.")
    proxy_protocol: bool = Field(
        False, description="Every connection begins with a PROXY header (v1 or v2), of one of the trusted_proxies."
    )
    client_ca_file: str | None = Field(None, description="Ask clients for a certificate of these authorities (PEM).")
    client_auth: snapshot.ClientAuth = Field("require", description="request: a client may come without one.")

    @model_validator(mode="after")
    def _secure_clients(self) -> "ListenOn":
        if self.client_ca_file is not None and not self.tls:
            raise ValueError("client_ca_file: a listener without tls sees no certificates")
        return self


class Listen(Strict):
    """Where foregate listens: host:port, unix:/path, or several of them. Nothing but loopback unless asked."""

    gateway: Annotated[
        Annotated[Annotated[str, AfterValidator(address)], Tag(TEXT)]
        | Annotated[Annotated[tuple[ListenOn, ...], Field(min_length=1, max_length=64)], Tag(MANY)],
        Discriminator(_kind_of),
    ] = "127.0.0.1:8080"
    console: Annotated[str, AfterValidator(loopback)] = "127.0.0.1:8090"
    ingest: Annotated[tuple[Annotated[str, AfterValidator(address)], ...], Field(min_length=1, max_length=16)] = Field(
        ("127.0.0.1:4318", "127.0.0.1:4317"),
        description="For telemetry, HTTP/1.1 and HTTP/2 on each; only where telemetry.ingest_keys are.",
    )

    @property
    def gateways(self) -> tuple[ListenOn, ...]:
        """All of the gateway's addresses; the first is the one that is shown to people."""
        return (ListenOn(address=self.gateway),) if isinstance(self.gateway, str) else self.gateway

    @property
    def all(self) -> tuple[tuple[Path, Address], ...]:
        """Every address with its place in the file; the first is the one that is shown to people."""
        found: list[tuple[Path, Address]] = []
        for index, listener in enumerate(self.gateways):
            path: Path = ("gateway",) if isinstance(self.gateway, str) else ("gateway", index, "address")
            found.append((("listen", *path), parse_listener(listener.address)._replace(tls=bool(listener.tls))))
        return (*found, (("listen", "console"), Address(*parse_address(self.console))))


class Target(Strict):
    """An address of a service: http://, https:// or unix:/path.sock[:/prefix]. `weight`: its share among the others."""

    url: TargetUrl
    weight: int = Field(1, ge=1, le=1_000)
    zone: str = Field("", max_length=64)


class Service(Strict):
    """An upstream service with one or several targets."""

    targets: Annotated[
        tuple[
            Annotated[Annotated[TargetUrl, Tag(TEXT)] | Annotated[Target, Tag(MANY)], Discriminator(_kind_of)],
            ...,
        ],
        Field(min_length=1, max_length=1_000),
    ]
    connect_timeout_s: Seconds = 3.0
    balance: Annotated[snapshot.Balance, DERIVED] = Field(default_factory=snapshot.Balance)
    health: Annotated[snapshot.Health, DERIVED] = Field(default_factory=snapshot.Health)
    tls: Annotated[snapshot.UpstreamTls, DERIVED] = Field(default_factory=snapshot.UpstreamTls)
    connections_max: int = Field(1_000, ge=1, le=100_000, description="Of one worker to one target.")
    protocol: snapshot.UpstreamProtocol = Field(
        "http/1.1", description="auto: over TLS what the service agrees to (ALPN), else HTTP/1.1. gRPC needs h2."
    )
    streams_max: int = Field(100, ge=1, le=10_000, description="Requests at a time on one HTTP/2 connection.")
    policies: ServicePolicies = Field(default_factory=no_policies)
    ai: Annotated[Provider, DERIVED] | None = None


class Share(Strict):
    """A service's share of a route's traffic, in proportion to the other weights."""

    service: str
    weight: int = Field(1, ge=0, le=1_000_000)


class Route(Strict):
    """Which requests (path, hosts, methods, headers, queries: all must hold) meet which service or other end.

    Closed (auth: api_key) unless opened.
    """

    name: RouteName | None = None
    path: ConditionPath
    match: Literal["prefix", "exact", "template", "regex"] = "prefix"
    hosts: Annotated[tuple[Annotated[str, Field(max_length=260)], ...], Field(max_length=100)] = ()
    methods: Annotated[tuple[Annotated[str, Field(max_length=32)], ...], Field(max_length=32)] = ()
    headers: Annotated[tuple[Annotated[HeaderRule, DERIVED], ...], Field(max_length=32)] = ()
    queries: Annotated[tuple[Annotated[QueryRule, DERIVED], ...], Field(max_length=32)] = ()
    priority: int = Field(0, ge=-1_000_000, le=1_000_000, description="Higher goes first, whatever else matches.")
    service: str | None = None
    canary: Annotated[Canary, DERIVED] | None = None
    services: Annotated[tuple[Share, ...], Field(max_length=100)] = ()
    sticky: bool = True
    redirect: Annotated[snapshot.Redirect, DERIVED] | None = None
    answer: Annotated[snapshot.FixedAnswer, DERIVED] | None = None
    ai: Annotated[AiRoute, DERIVED] | None = None
    strip: bool = False
    rewrite: Annotated[snapshot.Rewrite, DERIVED] | None = None
    host: Annotated[str, AfterValidator(_host)] | None = Field(
        None, description="The Host that the upstream sees: keep (the client's) or another; default: the target's."
    )
    auth: Auth = ("api_key",)
    objective: Annotated[Objective, DERIVED] | None = Field(
        None, description="What is promised of it; default: predict.objective."
    )
    policies: RoutePolicies = Field(default_factory=no_policies)

    @property
    def rule(self) -> Rule:
        """What it asks of a request."""
        return Rule(self.path, self.match, self.hosts, self.methods, self.headers, self.queries, self.priority)

    @property
    def shares(self) -> tuple[Share, ...]:
        """The services that its requests go to; none for a redirect or a fixed answer."""
        if self.service is None:
            return self.services
        if self.canary is None:
            return (Share(service=self.service),)
        weight = round(self.canary.weight * CANARY_UNITS)
        own = Share(service=self.service, weight=100 * CANARY_UNITS - weight)
        return (own, Share(service=self.canary.service, weight=weight))

    @model_validator(mode="after")
    def _one_end(self) -> "Route":
        ways = {
            "service": self.service,
            "services": self.services,
            "redirect": self.redirect,
            "answer": self.answer,
            "ai": self.ai,
        }
        given = [name for name, value in ways.items() if value]
        if len(given) != 1:
            said = " and ".join(given) if given else "none"
            raise ValueError(f"needs exactly one of service, services, redirect, answer and ai (there is {said})")
        if self.services and not any(share.weight for share in self.services):
            raise ValueError("services: every weight is 0, so no request could go anywhere")
        if self.canary is not None and self.service is None:
            raise ValueError("canary: a share of the route's service is given to it, so that one has to be named")
        if self.strip and self.rewrite is not None:
            raise ValueError("strip and rewrite say two different paths: give one of them")
        return self


class Plan(Strict):
    """What keys have in common."""

    policies: PlanPolicies = Field(default_factory=no_policies)


class Key(Strict):
    """An API key: its secret by reference to the environment, or its hash (`foregate keys hash`)."""

    name: Name
    secret: Annotated[str, Field(min_length=16, max_length=256), BeforeValidator(forms.secret)] | None = None
    hash: str | None = Field(None, pattern=r"^hmac-sha256:[0-9a-f]{64}$")
    org: Name | None = None
    plan: str | None = None
    policies: KeyPolicies = Field(default_factory=no_policies)

    @model_validator(mode="after")
    def _one_of_both(self) -> "Key":
        if (self.secret is None) == (self.hash is None):
            raise ValueError("give either secret (as ${env:NAME}) or hash, one of them")
        return self


class Limits(Strict):
    """Where rate limits are counted: on this machine, or in a Valkey or Redis that several machines share."""

    store: Annotated[str, AfterValidator(_store), BeforeValidator(_store_secret)] | None = None
    on_failure: Literal["open", "closed"] = "open"  # when that store cannot be reached


class Alerts(Strict):
    """When to tell people, and whom.

    Without a `threshold` (environment variable ALERT_THRESHOLD) alerts are raised from the score that costs
    `false_alarms_per_day` per API: as the model was measured, and more and more as was counted on the organisation's
    own APIs. `organisations` may have their own number.
    """

    threshold: float | None = Field(None, gt=0, lt=1, description="A score for all; 0.8 pages rarely and late.")
    false_alarms_per_day: float = Field(0.5, gt=0, le=10, description="Per API, where no threshold is set.")
    organisations: dict[Name, Annotated[float, Field(gt=0, le=10)]] = Field(
        default_factory=dict, max_length=10_000, description="False alarms per API and day, by organisation."
    )
    webhook: Annotated[str, AfterValidator(forms.url)] | None = None


class Predict(Strict):
    """`model_path`: another model than the bundled one (environment variable MODEL_PATH overrides it).

    `explain`: give the reasons of each score (environment variable ENABLE_SHAP); they take about half of the work.
    """

    model_path: str | None = None
    explain: bool = True
    learn: Literal["daily", "off"] = Field(
        "daily", description="Train on own traffic once a day, at the lowest priority; a better model takes over."
    )
    objective: Annotated[Objective, DERIVED] | None = Field(
        None, description="What is promised of every route that says nothing of its own."
    )


class Config(Strict):
    """foregate.yaml."""

    listen: Listen = Listen()
    org: Name = "default"
    environment: Name = "production"
    region: Name | None = Field(None, description="Where it runs: cloud.region in its events.")
    cloud: Name | None = Field(None, description="Whose machines they are: cloud.provider in its events.")
    policies: GlobalPolicies = Field(default_factory=no_policies)
    services: dict[Name, Service] = Field(default_factory=dict, max_length=10_000)
    routes: list[Route] = Field(default_factory=list, max_length=20_000)
    plans: dict[Name, Plan] = Field(default_factory=dict, max_length=10_000)
    keys: list[Key] = Field(default_factory=list, max_length=200_000)
    trusted_proxies: Annotated[tuple[Network, ...], Field(max_length=1_000)] = ()
    metrics_to: Annotated[tuple[Network, ...], Field(max_length=1_000)] = snapshot.Snapshot("").metrics_to
    clients: Annotated[snapshot.ClientBounds, DERIVED] = Field(default_factory=snapshot.ClientBounds)
    limits: Limits = Limits()
    cache: Annotated[CacheStorage, DERIVED] = Field(default_factory=CacheStorage)
    telemetry: Telemetry = Field(default_factory=Telemetry)
    alerts: Alerts = Alerts()
    predict: Predict = Predict()
    abuse: Annotated[Abuse, DERIVED] = Field(default_factory=Abuse)
    drain_s: Seconds = 10.0
