"""The compiled configuration that a gateway worker runs on: immutable, validated, complete."""

import msgspec


class Breaker(msgspec.Struct, frozen=True):
    """Closed → open after `failures` in a row → half-open after `open_s`, when one trial request decides."""

    failures: int = 5
    open_s: float = 60.0


class Retry(msgspec.Struct, frozen=True):
    """`attempts` tries more after the first one; before the n-th of them wait min(base·2^(n-1), max) ± jitter."""

    attempts: int = 3
    base_s: float = 1.0
    max_s: float = 4.0
    jitter: float = 0.2


class Target(msgspec.Struct, frozen=True):
    """One upstream address. `url` is as configured; `prefix` its path without a trailing slash."""

    url: str
    host: str
    port: int
    prefix: str = ""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Service(msgspec.Struct, frozen=True):
    """`timeout_s` bounds an attempt's wait for the response head, and every later silence of the body."""

    name: str
    targets: tuple[Target, ...]
    timeout_s: float = 30.0
    connect_timeout_s: float = 3.0
    breaker: Breaker = Breaker()
    retry: Retry = Retry()
    body_bytes_max: int = 1_073_741_824


class RateLimit(msgspec.Struct, frozen=True):
    """A token bucket per API key: `rate` tokens per second, `burst` at most."""

    rate: float
    burst: float


class Route(msgspec.Struct, frozen=True):
    """`path` is a prefix on segment borders: "/ai" takes "/ai" and "/ai/x", never "/aix". `strip` removes it."""

    path: str
    service: str
    strip: bool = False
    needs_key: bool = True
    rate_limit: RateLimit | None = None


class Key(msgspec.Struct, frozen=True):
    """An API key by its stored form (`hmac-sha256:…`); `id` is public and travels in events."""

    id: str
    name: str
    hash: str


class Snapshot(msgspec.Struct, frozen=True):
    """What a worker needs, and nothing it would have to ask anybody for."""

    version: str  # digest of the content
    gateway_host: str
    gateway_port: int
    services: tuple[Service, ...] = ()
    routes: tuple[Route, ...] = ()
    keys: tuple[Key, ...] = ()
    org: str = "default"
    environment: str = "production"
    drain_s: float = 10.0


encode_snapshot = msgspec.json.Encoder().encode
decode_snapshot = msgspec.json.Decoder(Snapshot).decode
