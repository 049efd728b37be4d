"""The settings of every policy: said once here, validated and documented from here, compiled from here.

Each may be set globally, on a service, a route, a plan or a key (`SCOPES` says which take which); the most specific one
wins: key, plan, route, service, global. Lists (`rate_limits`, `quotas`, `token_limits`, `extensions`) are joined
instead; there an entry of a more specific place replaces the one of the same name.

What the annotations of fields mean stands in `wire.settings`; large policies have a file of their own beside this one.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from foregate.wire.ai import ModelAccess, TokenLimit
from foregate.wire.cache import Cache
from foregate.wire.event_stream import EventStream
from foregate.wire.mirror import Mirror
from foregate.wire.mtls import Mtls
from foregate.wire.origins import problem_with
from foregate.wire.placeholders import problem_in
from foregate.wire.settings import (
    Bytes,
    HeaderName,
    Headers,
    Network,
    Priority,
    RateText,
    Seconds,
    Secret,
    Settings,
    Share,
    Status,
    Url,
)
from foregate.wire.settings import Rate as Rate
from foregate.wire.websocket import WebSocket

JWT_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")


def _values(*tables: dict[str, str]) -> list[str]:
    return [value for table in tables for value in table.values()]


# --- who may come in ---------------------------------------------------------------------------------------------


class IpFilter(Settings, frozen=True):
    """Let in by address. `deny` is asked first; with `allow` given, whoever is not in it is refused (403)."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    def problem(self) -> str | None:
        return None if self.allow or self.deny else "needs allow or deny"


class Cors(Settings, frozen=True):
    """Cross-origin requests of browsers (Fetch standard). Preflights are answered here, before authentication."""

    origins: Annotated[
        tuple[str, ...], Meta(min_length=1, description='exact, "https://*.example.com", "null", or "*"')
    ]
    methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[HeaderName, ...] = ()  # none: whatever the browser asks for
    expose: tuple[HeaderName, ...] = ()
    credentials: bool = False
    max_age_s: Annotated[int, Meta(ge=0, le=86_400)] = 600

    def problem(self) -> str | None:
        if self.credentials and "*" in self.origins:
            return "credentials with the origin * would let every page act as its visitor: name the origins"
        return next((said for origin in self.origins if (said := problem_with(origin)) is not None), None)


class ApiKeySource(Settings, frozen=True):
    """Where an API key may stand. The first one that is there counts."""

    header: HeaderName | None = "x-api-key"
    query: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    bearer: bool = False  # Authorization: Bearer fg_…
    keep: bool = False  # pass it on to the upstream

    def problem(self) -> str | None:
        return None if self.header or self.query or self.bearer else "names no place: header, query or bearer"


class Jwt(Settings, frozen=True):
    """Signed tokens of an issuer, checked with its published keys (RFC 7519, 7517). Asymmetric algorithms only."""

    issuer: Annotated[str, Meta(min_length=1, max_length=512)]
    jwks_url: Url | None = None
    jwks: str | None = None  # the key set itself, as JSON, instead of an address
    audiences: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    leeway_s: Annotated[float, Meta(ge=0, le=600)] = 30.0
    cache_s: Seconds = 300.0  # how long fetched keys are used before they are asked for again
    required_claims: dict[str, str] = msgspec.field(default_factory=dict)
    scopes: tuple[str, ...] = ()  # each must be in the token's `scope`
    subject_claim: str = "sub"  # becomes, as "jwt:<issuer>#<subject>", the key id of limits and events
    plan_claim: str | None = None
    org_claim: str | None = None

    def problem(self) -> str | None:
        if (self.jwks_url is None) == (self.jwks is None):
            return "needs either jwks_url or jwks, one of them"
        if weak := [name for name in self.algorithms if name.upper() in ("NONE", "HS256", "HS384", "HS512")]:
            return f"{weak[0]} must not be accepted here: only asymmetric algorithms"
        if unknown := [name for name in self.algorithms if name not in JWT_ALGORITHMS]:
            return f"{unknown[0]} is none of {', '.join(JWT_ALGORITHMS)}"
        return None if self.algorithms else "accepts no algorithm"


class Basic(Settings, frozen=True):
    """User name and password (RFC 7617). The passwords are the API keys of the same name: one place for secrets."""

    realm: Annotated[str, Meta(max_length=128)] = "foregate"


class Hmac(Settings, frozen=True):
    """Requests signed with a shared secret (HMAC-SHA-256 over method, target, date and body digest).

    The header `x-signature: keyid=<key name>,ts=<unix seconds>,sig=<hex>`; a signature is taken once by each worker.
    """

    secrets: Annotated[dict[str, Secret], Meta(min_length=1)]  # by key name
    header: HeaderName = "x-signature"
    window_s: Seconds = 300.0
    body: bool = True  # the body's SHA-256 is signed too: the body is read whole first
    body_bytes_max: Bytes = 1_048_576


# --- how much of it ----------------------------------------------------------------------------------------------


Algorithm = Literal["token_bucket", "leaky_bucket", "sliding_window", "fixed_window", "concurrency"]
Subject = Annotated[
    str, Meta(pattern=r"^(key|org|plan|ip|route|service|all|header:[A-Za-z0-9-]{1,64})$", description="who shares it")
]


class RateLimit(Settings, frozen=True):
    """One limit; exact across workers. Refused requests are not counted."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] = "default"
    algorithm: Algorithm = "token_bucket"
    by: Subject = "key"
    rate: RateText | None = None  # all but concurrency
    burst: Annotated[float, Meta(ge=1)] | None = None  # token bucket: its size; leaky bucket: its queue
    max: Annotated[int, Meta(ge=1)] | None = None  # concurrency: at the same time
    delay_max_s: Annotated[float, Meta(gt=0, le=60)] | None = None  # leaky bucket: who would wait longer is refused
    adaptive: bool = False  # less of it while this machine is loaded
    legacy_headers: bool = False  # X-RateLimit-Limit, -Remaining, -Reset as well

    def problem(self) -> str | None:
        if self.algorithm == "concurrency":
            return None if self.max is not None and self.rate is None else "concurrency needs max, and no rate"
        if self.rate is None:
            return f"{self.algorithm} needs a rate such as 100/s"
        if self.max is not None:
            return "max belongs to the algorithm concurrency"
        if self.burst is not None and self.algorithm.endswith("_window"):
            return "burst belongs to buckets; a window takes its whole rate at once"
        if self.delay_max_s is not None and self.algorithm != "leaky_bucket":
            return "delay_max_s belongs to the algorithm leaky_bucket"
        return None


class Quota(Settings, frozen=True):
    """So many requests in a calendar day or month (UTC). Survives restarts."""

    limit: Annotated[int, Meta(ge=1)]
    period: Literal["day", "month"]
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] = "quota"
    by: Subject = "key"


class Bulkhead(Settings, frozen=True):
    """At most `max` requests of this service under way per worker; up to `queue` more wait at most `wait_s`."""

    max: Annotated[int, Meta(ge=1, le=1_000_000)]
    queue: Annotated[int, Meta(ge=0, le=100_000)] = 0
    wait_s: Annotated[float, Meta(gt=0, le=60)] = 1.0


class AdaptiveConcurrency(Settings, frozen=True):
    """A bulkhead that finds its own size from latency (gradient, as Netflix's concurrency-limits and Envoy do)."""

    start: Annotated[int, Meta(ge=1, le=100_000)] = 20
    min: Annotated[int, Meta(ge=1, le=100_000)] = 4
    max: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    tolerance: Annotated[float, Meta(ge=1, le=10)] = 1.5  # how much slower than at rest is still healthy
    smoothing: Annotated[float, Meta(gt=0, le=1)] = 0.2
    queue: Annotated[int, Meta(ge=0, le=100_000)] = 100  # beyond the limit; lowest priority is shed first
    wait_s: Annotated[float, Meta(gt=0, le=60)] = 0.5

    def problem(self) -> str | None:
        return None if self.min <= self.start <= self.max else "must hold min <= start <= max"


class LoadShedding(Settings, frozen=True):
    """While this worker is overloaded (its loop is late), refuse by priority: the lowest first (503)."""

    lateness_s: Seconds = 0.05  # of the loop, smoothed: from here on priorities are shed …
    lateness_full_s: Seconds = 0.5  # … and from here on all but priority 100

    def problem(self) -> str | None:
        return None if self.lateness_s < self.lateness_full_s else "must hold lateness_s < lateness_full_s"


# --- in which form -----------------------------------------------------------------------------------------------


class Bounds(Settings, frozen=True):
    """What a request may weigh and how long all of it may take."""

    body_bytes_max: Bytes = 1_073_741_824  # 413
    header_bytes_max: Annotated[int, Meta(ge=256, le=32_768)] = 32_768  # 431
    header_count_max: Annotated[int, Meta(ge=4, le=100)] = 100  # 431
    query_bytes_max: Annotated[int, Meta(ge=0, le=8_192)] = 8_192  # 414
    content_types: tuple[str, ...] = ()  # of bodies; others are refused with 415


class RequestTransform(Settings, frozen=True):
    """Values may hold ${param.name}, ${header.name}, ${query.name}, ${key.id}, ${client.ip}, ${request.id} …"""

    set_headers: Headers = msgspec.field(default_factory=dict)
    add_headers: Headers = msgspec.field(default_factory=dict)
    remove_headers: tuple[HeaderName, ...] = ()
    set_query: dict[str, str] = msgspec.field(default_factory=dict)
    remove_query: tuple[str, ...] = ()
    set_body: dict[str, Any] = msgspec.field(default_factory=dict)  # top-level members of a JSON body
    remove_body: tuple[str, ...] = ()
    body_bytes_max: Bytes = 1_048_576  # only with set_body or remove_body, for which the body is read whole

    def problem(self) -> str | None:
        if self == RequestTransform(body_bytes_max=self.body_bytes_max):
            return "changes nothing"
        members = [value for value in self.set_body.values() if isinstance(value, str)]
        return problem_in([*_values(self.set_headers, self.add_headers, self.set_query), *members])


class ResponseTransform(Settings, frozen=True):
    """What the client gets to see of the answer's header fields."""

    set_headers: Headers = msgspec.field(default_factory=dict)
    add_headers: Headers = msgspec.field(default_factory=dict)
    remove_headers: tuple[HeaderName, ...] = ()

    def problem(self) -> str | None:
        if self == ResponseTransform():
            return "changes nothing"
        return problem_in(_values(self.set_headers, self.add_headers))


class BodySchema(Settings, frozen=True):
    """JSON bodies must fit this JSON Schema (draft 2020-12) or are refused with 422, saying where they do not."""

    json_schema: dict[str, Any]
    body_bytes_max: Bytes = 1_048_576
    required: bool = True  # a request of POST, PUT or PATCH without a JSON body is refused too


# --- and when something goes wrong -------------------------------------------------------------------------------


class Timeouts(Settings, frozen=True):
    """`attempt_s` bounds an attempt's wait for the head and every later silence; `total_s` all attempts to the head.

    `stream_idle_s` bounds, instead of `attempt_s`, the silences of server-sent events and of gRPC after their head.
    """

    attempt_s: Seconds = 30.0
    total_s: Seconds | None = None
    stream_idle_s: Seconds | None = None


class CircuitBreaker(Settings, frozen=True):
    """Of one target: open after `failures` in a row or, of the last `window` answers, a share of `error_rate`.

    After `open_s` one trial request decides.
    """

    failures: Annotated[int, Meta(ge=1, le=10_000)] = 5
    open_s: Seconds = 60.0
    error_rate: Annotated[float, Meta(gt=0, le=1)] | None = None
    window: Annotated[int, Meta(ge=2, le=1_000)] = 20


class ServiceBreaker(Settings, frozen=True):
    """Of a whole service: open when of at least `requests_min` answers in `window_s` a share of `error_rate` failed."""

    error_rate: Annotated[float, Meta(gt=0, le=1)] = 0.5
    requests_min: Annotated[int, Meta(ge=2, le=100_000)] = 20
    window_s: Seconds = 10.0
    open_s: Seconds = 10.0


class Fallback(Settings, frozen=True):
    """Instead of a failure of ours or the upstream's (circuit open, shed, timeout, 502 …): another service, or this."""

    service: str | None = None
    status: Status = 503
    body: Annotated[str, Meta(max_length=65_536)] | None = None
    content_type: Annotated[str, Meta(max_length=256, extra={"form": "header_value"})] = "application/json"
    on: tuple[str, ...] = ("circuit_open", "upstream_refused", "upstream_closed", "upstream_timeout")  # error codes

    def problem(self) -> str | None:
        return None if (self.service is None) != (self.body is None) else "needs either service or body, one of them"


class Retry(Settings, frozen=True):
    """`attempts` tries more after the first one; before the n-th wait min(base_s·2^(n-1), max_s) ± jitter.

    All retries of a service, those waiting included, are at most `budget` of its requests under way and lately ended
    (`budget_min` are always allowed).
    """

    attempts: Annotated[int, Meta(ge=0, le=10)] = 3
    base_s: Annotated[float, Meta(ge=0, le=3_600)] = 1.0
    max_s: Annotated[float, Meta(ge=0, le=3_600)] = 4.0
    jitter: Share = 0.2
    statuses: tuple[Annotated[int, Meta(ge=500, le=599)], ...] = (502, 503, 504)
    budget: Share = 0.2
    budget_min: Annotated[int, Meta(ge=0, le=1_000)] = 3

    def problem(self) -> str | None:
        return None if self.base_s <= self.max_s else f"base_s ({self.base_s:g}) is larger than max_s ({self.max_s:g})"


class Hedge(Settings, frozen=True):
    """Ask a second target when the first has not begun to answer after `after_s`; idempotent requests only.

    Hedges count in the retry budget. The first answer wins, the other attempt is cancelled.
    """

    after_s: Annotated[float, Meta(gt=0, le=60)]
    max: Annotated[int, Meta(ge=1, le=3)] = 1


class Extension(Settings, frozen=True):
    """A policy of your own, by the name of its entry point (group `foregate.policies`)."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


class Policies(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One place's policies. None: not set at this place."""

    priority: Priority | None = None
    ip_filter: IpFilter | None = None
    cors: Cors | None = None
    api_key: ApiKeySource | None = None
    jwt: Jwt | None = None
    basic: Basic | None = None
    hmac: Hmac | None = None
    load_shedding: LoadShedding | None = None
    bounds: Bounds | None = None
    rate_limits: tuple[RateLimit, ...] = ()
    quotas: tuple[Quota, ...] = ()
    body_schema: BodySchema | None = None
    request_transform: RequestTransform | None = None
    response_transform: ResponseTransform | None = None
    extensions: tuple[Extension, ...] = ()
    websocket: WebSocket | None = None
    cache: Cache | None = None
    mirror: Mirror | None = None
    bulkhead: Bulkhead | None = None
    adaptive_concurrency: AdaptiveConcurrency | None = None
    timeouts: Timeouts | None = None
    retry: Retry | None = None
    hedge: Hedge | None = None
    fallback: Fallback | None = None
    circuit_breaker: CircuitBreaker | None = None
    service_breaker: ServiceBreaker | None = None
    models: ModelAccess | None = None
    token_limits: tuple[TokenLimit, ...] = ()
    event_stream: EventStream | None = None
    mtls: Mtls | None = None


NO_POLICIES = Policies()
JOINED = ("rate_limits", "quotas", "token_limits", "extensions")
# A policy not named here may be set everywhere.
SCOPES: dict[str, tuple[str, ...]] = {
    # these decide who asks: plan and key are not known yet
    **dict.fromkeys(("cors", "api_key", "jwt", "basic", "hmac", "mtls"), ("global", "service", "route")),
    # these keep one state per service
    **dict.fromkeys(("bulkhead", "adaptive_concurrency", "circuit_breaker", "service_breaker"), ("global", "service")),
    # these are met by routes to models, before it is known which service is asked
    **dict.fromkeys(("models", "token_limits"), ("global", "route", "plan", "key")),
}
