"""How a service is built and sized: the numbers that distinguish payments from search, and one world from another."""

from dataclasses import dataclass, replace
from math import ceil, exp
from random import Random

SEATS_MIN = 2
CONNECTIONS_MIN = 8


@dataclass(frozen=True)
class Profile:
    """Medians in seconds, sizes in MB. `share` is the part of all traffic that comes in through the gateway;
    `extra_share` what other services add from inside. `load` is the share of seats that ordinary traffic keeps busy.
    """

    name: str
    share: float
    work_s: float
    sigma: float
    extra_share: float = 0.0
    instances: int = 1
    load: float = 0.33
    wait_s: float = 1.0
    database: str = ""  # its name; "" for none
    query_s: float = 0.0
    misses: float = 1.0  # share of requests that the cache does not spare the database
    provider: str = ""
    provider_s: float = 0.0  # median of a call to it, held with a seat and a connection
    inner_s: float = 0.0  # median of its calls to other services, held with a seat alone
    heap_limit_mb: float = 512.0
    heap_base_mb: float = 110.0
    request_mb: float = 6.0
    pause_s_per_mb: float = 0.0005
    cache_entries: int = 512
    restart_s: float = 12.0
    noise: float = 0.001  # share of requests that fail for no reason anyone will ever find

    @property
    def hold_s(self) -> float:
        """Mean seconds that a request keeps its seat in ordinary times."""
        return (self.work_s + self.misses * self.query_s + self.provider_s + self.inner_s) * exp(self.sigma**2 / 2)

    def rps(self, rate: float) -> float:
        """Ordinary requests/s when the whole world gets `rate`, calls from inside included."""
        return rate * (self.share + self.extra_share)

    def seats(self, rate: float) -> int:
        """Seats per instance so that ordinary traffic keeps `load` of them busy."""
        return max(SEATS_MIN, ceil(self.rps(rate) * self.hold_s / self.load / self.instances))

    def connections(self, rate: float) -> int:
        """Database connections, sized likewise over all instances."""
        held_s = (self.misses * self.query_s + self.provider_s) * exp(self.sigma**2 / 2)
        return max(CONNECTIONS_MIN, ceil(1.2 * self.rps(rate) * held_s / self.load))

    def utilisation(self, rate: float) -> float:
        """Share of its seats that ordinary traffic really keeps busy (below `load` when a minimum applies)."""
        return self.rps(rate) * self.hold_s / (self.seats(rate) * self.instances)


PROFILES = (
    Profile("payments", 0.25, 0.015, 0.35, 0.06, database="ledger", query_s=0.018, provider="card network",
            provider_s=0.055),
    Profile("search", 0.27, 0.030, 0.45, request_mb=5.0, database="index disk", query_s=0.036, misses=0.6,
            cache_entries=150),
    Profile("users", 0.24, 0.016, 0.35, 0.12, request_mb=3.0, database="user store", query_s=0.032, misses=0.55),
    Profile("orders", 0.14, 0.014, 0.35, database="order store", query_s=0.035, inner_s=0.12),
    Profile("ai", 0.10, 0.120, 0.30, instances=2, load=0.22, wait_s=4.0, database="model runtime", query_s=0.45,
            provider="model provider", request_mb=12.0, heap_limit_mb=1024.0, heap_base_mb=260.0,
            pause_s_per_mb=0.0015),
)  # fmt: skip


def varied(profile: Profile, rng: Random, variation: float) -> Profile:
    """Another company's service of this kind: speeds, sizes and margins drawn around `profile` (0: the same one)."""

    def near(value: float, spread: float) -> float:
        return value * exp(spread * variation * rng.gauss(0.0, 1.0))

    pace = near(1.0, 0.5)
    return replace(
        profile,
        work_s=near(profile.work_s * pace, 0.3),
        query_s=near(profile.query_s * pace, 0.3),
        provider_s=near(profile.provider_s * pace, 0.3),
        sigma=min(0.8, near(profile.sigma, 0.25)),
        load=min(0.5, near(profile.load, 0.25)),
        wait_s=near(profile.wait_s, 0.4),
        heap_base_mb=near(profile.heap_base_mb, 0.2),
        request_mb=near(profile.request_mb, 0.4),
        pause_s_per_mb=near(profile.pause_s_per_mb, 0.4),
        restart_s=near(profile.restart_s, 0.4),
        noise=near(profile.noise, 0.8),
    )
