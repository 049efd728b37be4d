"""The compiled configuration that a gateway worker runs on: immutable, validated, complete."""

from collections.abc import Generator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from foregate.kernel.slices import whole
from foregate.wire.abuse import Abuse
from foregate.wire.ai import AiRoute, Provider
from foregate.wire.cache import CacheStorage
from foregate.wire.canary import Canary
from foregate.wire.match import Rule
from foregate.wire.policies import NO_POLICIES, Policies
from foregate.wire.settings import Network, Seconds, Settings, Status

AuthMethod = Literal["api_key", "jwt", "basic", "hmac", "mtls"]


class Target(msgspec.Struct, frozen=True):
    """One upstream address. `url` is as configured; `prefix` its path without a trailing slash.

    `socket` is the path of a Unix socket, "" for TCP. `tls` speaks TLS to it, with `host` as server name.
    """

    url: str
    host: str
    port: int
    prefix: str = ""
    tls: bool = False
    socket: str = ""
    weight: int = 1
    zone: str = ""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


BalanceAlgorithm = Literal["round_robin", "least_requests", "p2c_ewma", "consistent_hash", "random"]


class Balance(Settings, frozen=True):
    """Which target is next. Weights count in all of them."""

    algorithm: BalanceAlgorithm = "least_requests"
    hash_by: Annotated[
        str, Meta(pattern=r"^(key|ip|path|header:[A-Za-z0-9-]{1,64}|cookie:[A-Za-z0-9_-]{1,64}|query:[^&=]{1,64})$")
    ] = "key"
    virtual_nodes: Annotated[int, Meta(ge=1, le=1_000)] = 160  # per target and weight
    load_bound: Annotated[float, Meta(ge=1.0, le=10)] = 1.25  # of the average; beyond it the next on the ring is taken
    zone: str = ""  # prefer targets of this zone …
    zone_spill: Annotated[float, Meta(ge=0, le=1)] = 0.7  # … while at least this share of them is healthy
    slow_start_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.0  # a new or recovered target gets its share gradually

    def problem(self) -> str | None:
        return None


class ActiveCheck(Settings, frozen=True):
    """Ask each target every `interval_s`; after `unhealthy` failures in a row it gets no requests, after `healthy`
    successes it does again."""

    path: Annotated[str, Meta(pattern=r"^/[!-~]*$", max_length=1_024)] = "/"
    interval_s: Annotated[float, Meta(ge=0.05, le=3_600)] = 10.0
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    healthy: Annotated[int, Meta(ge=1, le=100)] = 2
    unhealthy: Annotated[int, Meta(ge=1, le=100)] = 3
    statuses: tuple[Status, ...] = (200, 204)


class OutlierDetection(Settings, frozen=True):
    """Eject a target that does much worse than the others of its service, judged by the traffic itself."""

    interval_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 10.0
    requests_min: Annotated[int, Meta(ge=1)] = 20  # in an interval, to be judged at all
    error_rate: Annotated[float, Meta(gt=0, le=1)] = 0.5
    slower_than: Annotated[float, Meta(gt=1, le=1_000)] | None = None  # times the median latency of the others
    eject_s: Seconds = 30.0  # times the number of ejections in a row
    ejected_max: Annotated[float, Meta(ge=0, le=1)] = 0.5  # of the targets


class Health(Settings, frozen=True):
    """What decides, beside the circuit, whether a target gets requests."""

    active: ActiveCheck | None = None
    outlier: OutlierDetection | None = None
    dns_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 30.0  # a target's name is looked up again after so long


class UpstreamTls(Settings, frozen=True):
    """How a service's https targets are checked. `ca_file`: instead of the system's authorities."""

    verify: bool = True
    ca_file: str | None = None
    server_name: str | None = None  # instead of the target's host
    certificate: str | None = None  # ours, when the upstream asks for one
    key: str | None = None

    def problem(self) -> str | None:
        return (
            None if (self.certificate is None) == (self.key is None) else "needs both certificate and key, or neither"
        )


UpstreamProtocol = Literal["http/1.1", "h2", "auto"]


class Service(msgspec.Struct, frozen=True):
    """An upstream service: where it is, and how its targets are chosen and watched.

    `protocol`: over TLS, h2 is asked for by ALPN, and auto takes what the service agrees to; without TLS h2 is spoken
    at once ("prior knowledge"), and auto means HTTP/1.1.
    """

    name: str
    targets: tuple[Target, ...]
    connect_timeout_s: float = 3.0
    balance: Balance = Balance()
    health: Health = Health()
    tls: UpstreamTls = UpstreamTls()
    policies: Policies = NO_POLICIES
    # of one worker to one target; a request that would need a further one is answered `overloaded`
    connections_max: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    ai: Provider | None = None
    protocol: UpstreamProtocol = "http/1.1"
    streams_max: Annotated[int, Meta(ge=1, le=10_000)] = 100  # requests at a time on one HTTP/2 connection


class Weighted(msgspec.Struct, frozen=True):
    """A share of a route's traffic."""

    service: str
    weight: int = 1


class Redirect(Settings, frozen=True):
    """An answer that sends the client elsewhere. `to` may hold ${path}, ${query}, ${host} and ${param.name}."""

    to: Annotated[str, Meta(min_length=1, max_length=2_048)]
    status: Literal[301, 302, 303, 307, 308] = 308


class FixedAnswer(Settings, frozen=True):
    """An answer without an upstream."""

    status: Status = 200
    body: Annotated[str, Meta(max_length=65_536)] = ""
    content_type: Annotated[str, Meta(max_length=256, extra={"form": "header_value"})] = "text/plain; charset=utf-8"


class Rewrite(Settings, frozen=True):
    """The path towards the upstream: `to` with ${param.name} of a template, or `regex` replaced by `to` (\\1 …)."""

    to: Annotated[str, Meta(min_length=1, max_length=1_024)]
    regex: Annotated[str, Meta(min_length=1, max_length=512)] | None = None


class Route(msgspec.Struct, frozen=True):
    """`name` is unique and stands in events. Exactly one of `services`, `redirect`, `answer`, `ai` says what
    happens.

    `auth` lists the ways a client may say who it is, any of which is enough; empty: open to all. With several
    `services` each request is given to one of them by weight, a client (`sticky`) always to the same.
    """

    name: str
    rule: Rule
    services: tuple[Weighted, ...] = ()
    sticky: bool = True
    strip: bool = False
    rewrite: Rewrite | None = None
    host: str | None = None  # the Host that the upstream sees: None its own authority, "" the client's
    redirect: Redirect | None = None
    answer: FixedAnswer | None = None
    auth: tuple[AuthMethod, ...] = ("api_key",)
    policies: Policies = NO_POLICIES
    ai: AiRoute | None = None
    canary: Canary | None = None  # of the second of its two services


class Plan(msgspec.Struct, frozen=True):
    """What keys have in common."""

    name: str
    policies: Policies = NO_POLICIES


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """An API key by its stored form (`hmac-sha256:…`); `id` is public and travels in events. `plan`: "" for none."""

    id: str
    name: str
    hash: str
    org: str = ""
    plan: str = ""
    policies: Policies = NO_POLICIES


class Certificate(Settings, frozen=True):
    """A certificate chain and its private key, as PEM files. Its names come from the certificate."""

    certificate: str
    key: str


ClientAuth = Literal["require", "request"]


class Listener(msgspec.Struct, frozen=True):
    """`host` and `port`, or the path of a Unix `socket`. With certificates it speaks TLS."""

    host: str = "127.0.0.1"
    port: int = 0
    socket: str = ""
    certificates: tuple[Certificate, ...] = ()
    http2: bool = True  # by ALPN over TLS, with prior knowledge without
    proxy_protocol: bool = False  # each connection begins with a PROXY header, of one of the trusted proxies
    client_ca_file: str = ""  # of the authorities of clients' certificates; "": none is asked for
    client_auth: ClientAuth = "require"


class ClientBounds(Settings, frozen=True):
    """What one worker takes from clients, whatever they ask for."""

    connections_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    connections_per_address_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 0  # 0: no bound
    requests_per_connection_max: Annotated[int, Meta(ge=0)] = 0  # 0: no bound
    header_timeout_s: Seconds = 10.0
    idle_timeout_s: Seconds = 75.0
    handshake_timeout_s: Seconds = 5.0  # of TLS
    body_bytes_per_s_min: Annotated[int, Meta(ge=0)] = 128  # a client that sends its body slower is refused
    underscores: bool = False  # send on header fields with "_" in their name; some upstreams take it for "-"
    streams_max: Annotated[int, Meta(ge=1, le=10_000)] = 128  # requests at a time on one connection of HTTP/2


class Snapshot(msgspec.Struct, frozen=True):
    """What a worker needs, and nothing it would have to ask anybody for."""

    version: str  # digest of the content
    listeners: tuple[Listener, ...] = ()
    services: tuple[Service, ...] = ()
    routes: tuple[Route, ...] = ()
    plans: tuple[Plan, ...] = ()
    keys: tuple[Key, ...] = ()
    policies: Policies = NO_POLICIES
    trusted_proxies: tuple[Network, ...] = ()
    metrics_to: tuple[Network, ...] = ("127.0.0.0/8", "::1")  # who may read /metrics
    clients: ClientBounds = ClientBounds()
    limits_url: str = ""  # of a Valkey or Redis that counts the limits; "": this machine does
    limits_fail_open: bool = True  # when that store cannot be reached
    org: str = "default"
    environment: str = "production"
    drain_s: float = 10.0
    abuse: Abuse = Abuse()
    cache: CacheStorage = CacheStorage()
    region: str = ""
    cloud: str = ""


# --- as a file: lines, so that a worker can read thousands of routes and keys in slices while it serves ----------

_SLICE_LINES = 500  # decoded in one go: well below a millisecond
_encoder = msgspec.json.Encoder()
_decode_head = msgspec.json.Decoder(Snapshot).decode
_decode_route = msgspec.json.Decoder(Route).decode
_decode_key = msgspec.json.Decoder(Key).decode


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """One line of JSON with all but routes and keys, one per route, an empty one, one per key."""
    head = _encoder.encode(msgspec.structs.replace(snapshot, routes=(), keys=()))
    return b"%s\n%s\n%s" % (head, _encoder.encode_lines(snapshot.routes), _encoder.encode_lines(snapshot.keys))


def decoding(data: bytes) -> Generator[None, None, Snapshot]:
    """`decode_snapshot` in slices: yields between them, returns the snapshot. Raises msgspec.DecodeError."""
    head, _, _ = data.partition(b"\n")
    snapshot = _decode_head(head)
    routes: list[Route] = []
    keys: list[Key] = []
    past_routes = False
    at, count = len(head) + 1, 0
    while at < len(data):
        stop = data.find(b"\n", at)
        stop = stop if stop >= 0 else len(data)
        if stop == at:
            past_routes = True
        elif past_routes:
            keys.append(_decode_key(data[at:stop]))
        else:
            routes.append(_decode_route(data[at:stop]))
        at, count = stop + 1, count + 1
        if count % _SLICE_LINES == 0:
            yield
    return msgspec.structs.replace(snapshot, routes=tuple(routes), keys=tuple(keys))


def canaries_in(data: bytes) -> list[tuple[str, str, Canary]]:
    """(route, its own service, its canary) of every route with one; the others are not decoded. Raises DecodeError."""
    _, _, rest = data.partition(b"\n")
    lines = rest.partition(b"\n\n")[0].split(b"\n") if not rest.startswith(b"\n") else []
    routes = [_decode_route(line) for line in lines if b'"canary":{' in line]
    return [(route.name, route.services[0].service, route.canary) for route in routes if route.canary is not None]


def decode_without_keys(data: bytes) -> Snapshot:
    """All but the keys, of which there may be a hundred thousand. Raises msgspec.DecodeError."""
    return decode_snapshot(data.partition(b"\n\n")[0] + b"\n")


def decode_snapshot(data: bytes) -> Snapshot:
    """The inverse of `encode_snapshot`. Raises msgspec.DecodeError."""
    return whole(decoding(data))
