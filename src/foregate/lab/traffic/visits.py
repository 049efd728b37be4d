"""What clients ask for: the routes of the demo, and a request drawn for each."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from foregate.lab.services.users import USERS

_WORDS = [
    "queue",
    "latency",
    "pool",
    "heap",
    "retry",
    "cache",
    "ledger",
    "quota",
    "timeout",
    "index",
    "token",
    "stream",
    "payment",
    "order",
    "user",
    "crash",
    "deploy",
    "memory",
    "connection",
    "minute",
    "failure",
    "traffic",
    "gateway",
    "search",
    "model",
    "batch",
    "budget",
    "capacity",
    "service",
    "noise",
]


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks. `key_id` is the name of their API key; they leave after `patience_s` seconds."""

    key_id: str
    patience_s: float


WEB = Client("web", 15.0)
MOBILE = Client("mobile", 10.0)
PARTNER = Client("partner", 30.0)
CLIENTS = (WEB, MOBILE, PARTNER)


class Visit:
    """One request on its way to the gateway. `path` is what the client asks, below the route's template."""

    __slots__ = ("body", "client", "impatient", "method", "path", "route")

    def __init__(self, route: "Route", method: str, path: str, body: bytes, client: Client) -> None:
        self.route = route
        self.method = method
        self.path = path
        self.body = body
        self.client = client
        self.impatient = False


@dataclass(frozen=True)
class Route:
    """`share` of the traffic of `service` comes in here. `per_s` and `burst` are the rate limit of each key, if any."""

    path: str
    service: str
    share: float
    draw: Callable[["Route", Random], Visit]
    strip: bool = False
    per_s: float = 0.0
    burst: float = 0.0


def _client(rng: Random) -> Client:
    return WEB if rng.random() < 0.62 else MOBILE


def _popular(rng: Random, most: int) -> int:
    """A number from 1 to `most`, small ones far more often."""
    return 1 + int(most * rng.random() ** 4)


def _payments(route: Route, rng: Random) -> Visit:
    if rng.random() < 0.7:
        return Visit(route, "POST", "/payments", b'{"amount":%d,"currency":"EUR"}' % _popular(rng, 9_999), _client(rng))
    return Visit(route, "GET", f"/payments/{_popular(rng, 5_000)}", b"", _client(rng))


def _query(rng: Random) -> str:
    words = len(_WORDS)
    return f"{_WORDS[int(rng.random() * words)]}+{_WORDS[int(words * rng.random() ** 3)]}"


def _search(route: Route, rng: Random) -> Visit:
    return Visit(route, "GET", f"/search?q={_query(rng)}", b"", _client(rng))


def _partner(route: Route, rng: Random) -> Visit:
    return Visit(route, "GET", f"/partner/search?q={_query(rng)}+service", b"", PARTNER)


def _users(route: Route, rng: Random) -> Visit:
    if rng.random() < 0.92:
        missing = rng.random() < 0.01
        return Visit(route, "GET", f"/users/{_popular(rng, USERS) + (USERS if missing else 0)}", b"", _client(rng))
    return Visit(route, "PUT", f"/users/{_popular(rng, USERS)}", b'{"plan":"pro"}', _client(rng))


def _orders(route: Route, rng: Random) -> Visit:
    if rng.random() < 0.65:
        return Visit(route, "POST", "/orders", b'{"items":[%d]}' % _popular(rng, 999), _client(rng))
    return Visit(route, "GET", f"/orders/{_popular(rng, 3_000)}", b"", _client(rng))


def _ai(route: Route, rng: Random) -> Visit:
    path = "/ai/complete" if rng.random() < 0.6 else "/ai/embed"
    return Visit(route, "POST", path, b'{"prompt":"%s"}' % _query(rng).encode(), _client(rng))


def _chat(route: Route, rng: Random) -> Visit:
    return Visit(route, "POST", "/ai/chat", b'{"prompt":"%s","stream":true}' % _query(rng).encode(), _client(rng))


ROUTES = (
    Route("/payments", "payments", 1.0, _payments),
    Route("/search", "search", 0.92, _search),
    Route("/partner", "search", 0.08, _partner, strip=True, per_s=3.0, burst=6.0),
    Route("/users", "users", 1.0, _users),
    Route("/orders", "orders", 1.0, _orders),
    Route("/ai", "ai", 0.6, _ai),
    Route("/ai/chat", "ai", 0.4, _chat),
)


def upstream_path(visit: Visit) -> str:
    """What the service is asked after the gateway has stripped the route's path, where it does."""
    return visit.path.removeprefix(visit.route.path) if visit.route.strip else visit.path
