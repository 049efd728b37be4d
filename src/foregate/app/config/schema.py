"""The shape of `foregate.yaml`. Every key has a default; an unknown or misplaced one refuses to start.

`foregate config schema` prints it as JSON Schema.
"""

import re
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from foregate.kernel.limits import BODY_BYTES_MAX

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def parse_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:8080` or `[::1]:8080` → (host, port). Raises ValueError with a sentence."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f'"{text}" is not an address like 127.0.0.1:8080')
    return host, int(port)


def parse_rate(value: Any) -> float:
    """`100/s`, `600/m`, `5000/h` → tokens per second. Raises ValueError with a sentence."""
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match.group(1)) <= 0:
        raise ValueError(f'"{value}" is not a rate like 100/s, 600/m or 5000/h')
    return float(match.group(1)) / _SECONDS[match.group(2)]


def _address(text: str) -> str:
    parse_address(text)
    return text


def _loopback(text: str) -> str:
    host, _ = parse_address(text)
    if host not in _LOOPBACK:
        raise ValueError(f'the console binds to loopback only until people can sign in, and "{host}" is not loopback')
    return text


def _url(text: str) -> SplitResult:
    """The parts of an http(s) URL that can really be dialled. Raises ValueError with a sentence."""
    try:
        url = urlsplit(text)
        port = url.port
        host = (url.hostname or "").encode("idna")
    except ValueError as error:  # UnicodeError is one
        raise ValueError(f'"{text}" is not a URL: {error}') from error
    if url.scheme not in ("http", "https") or not host:
        raise ValueError(f'"{text}" is not a URL like http://127.0.0.1:9000')
    if port == 0 or url.fragment or url.username or not text.isascii() or re.search(r"[\s\\]", text):
        raise ValueError(f'"{text}" must be ASCII, without spaces, user, fragment or port 0')
    return url


def _target(text: str) -> str:
    url = _url(text)
    if url.scheme == "https":
        raise ValueError(f'"{text}": TLS to upstreams is not there yet; use http:// to a local TLS sidecar')
    if url.query:
        raise ValueError(f'"{text}" must be scheme, host, port and path only')
    return text


def _webhook(text: str) -> str:
    _url(text)
    return text


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a name: letters, digits, ".", "_" and "-", 63 at most')
    return text


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f'"{text}" must start with "/"')
    if len(text) > 1 and text.endswith("/"):
        raise ValueError(f'"{text}" must not end with "/" (a prefix covers what is below it)')
    if not text.isascii() or re.search(r"[\s?#%\\]|//|/\.\.?(/|$)", text):
        raise ValueError(f'"{text}" must be a plain path, without "//", "..", "%", "?" or "#"')
    return text


Name = Annotated[str, AfterValidator(_name)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Strict):
    """Where foregate listens. Nothing but loopback unless asked."""

    gateway: Annotated[str, AfterValidator(_address)] = "127.0.0.1:8080"
    console: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1:8090"


class CircuitBreaker(_Strict):
    """Per target: open after `failures` in a row, try again after `open_s` seconds."""

    failures: int = Field(5, ge=1, le=10_000)
    open_s: Seconds = 60.0


class Retry(_Strict):
    """`attempts` tries more after the first; the n-th waits min(base_s·2^(n-1), max_s), spread by ± `jitter` of it."""

    attempts: int = Field(3, ge=0, le=10)
    base_s: Annotated[float, Field(ge=0, le=3600)] = 1.0
    max_s: Annotated[float, Field(ge=0, le=3600)] = 4.0
    jitter: float = Field(0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> "Retry":
        if self.base_s > self.max_s:
            raise ValueError(f"base_s ({self.base_s:g}) is larger than max_s ({self.max_s:g})")
        return self


class Service(_Strict):
    """One upstream service with one or several targets."""

    targets: Annotated[list[Annotated[str, AfterValidator(_target)]], Field(min_length=1, max_length=1000)]
    timeout_s: Seconds = 30.0
    connect_timeout_s: Seconds = 3.0
    body_bytes_max: int = Field(BODY_BYTES_MAX, ge=0)
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    retry: Retry = Retry()


class RateLimit(_Strict):
    """A token bucket: `rate` refills it, `burst` is its size (default: one second's worth, at least 1)."""

    rate: Annotated[float, BeforeValidator(parse_rate)] = Field(json_schema_extra={"type": "string"})
    burst: float | None = Field(None, ge=1)
    per: Literal["key"] = "key"


class Route(_Strict):
    """What is below `path` goes to `service`; the longest path wins. Closed (auth: api_key) unless opened."""

    path: Annotated[str, AfterValidator(_path)]
    service: str
    strip: bool = False
    auth: Literal["api_key", "none"] = "api_key"
    rate_limit: RateLimit | None = None


class Key(_Strict):
    """An API key: its secret by reference to the environment, or its hash (`foregate keys hash`)."""

    name: Name
    secret: str | None = Field(None, min_length=16, max_length=256)
    hash: str | None = Field(None, pattern=r"^hmac-sha256:[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _one_of_both(self) -> "Key":
        if (self.secret is None) == (self.hash is None):
            raise ValueError("give either secret (as ${env:NAME}) or hash, one of them")
        return self


class Alerts(_Strict):
    """When to tell people, and whom. The environment variable ALERT_THRESHOLD overrides `threshold`."""

    threshold: float = Field(0.8, gt=0, lt=1)
    webhook: Annotated[str, AfterValidator(_webhook)] | None = None


class Predict(_Strict):
    """`model_path`: another model than the bundled one (environment variable MODEL_PATH overrides it)."""

    model_path: str | None = None


class Config(_Strict):
    """foregate.yaml."""

    listen: Listen = Listen()
    org: Name = "default"
    environment: Name = "production"
    services: dict[Name, Service] = Field(default_factory=dict, max_length=10_000)
    routes: list[Route] = Field(default_factory=list, max_length=10_000)
    keys: list[Key] = Field(default_factory=list, max_length=100_000)
    alerts: Alerts = Alerts()
    predict: Predict = Predict()
    drain_s: Seconds = 10.0
