"""A world as a value: its services, routes, traffic, troubles and what is measured of it. Same value, same bytes.

Seconds are counted from the world's start (`WorldPlan.start_s`) unless a name says otherwise.
"""

from dataclasses import dataclass

from foregate.lab.gateway_settings import GatewaySettings
from foregate.lab.model.profile import Profile

STEP_S = 10.0  # how far the model steps
STEPS = 6  # a minute


@dataclass(frozen=True)
class RoutePlan:
    """`rps` is its traffic where `Shape` is 1. Weights are of the service's own work and its queries."""

    path: str
    rps: float
    idempotent: float = 1.0  # share of requests that the gateway may send again
    misses: float | None = None  # share of requests that the cache does not spare the database; None: the service's
    light: float = 0.0  # share of requests that only query: no own work, no provider
    work: float = 1.0
    query: float = 1.0
    query_sigma: float = 0.0  # beyond the service's own: answers of very different lengths
    client_errors: float = 0.005  # share of requests that are 4xx
    tail: float = 0.0  # share of requests that take `tail_times` as long, for no reason anyone knows
    tail_times: float = 8.0
    limited: float = 0.0  # share of requests that our rate limit refuses
    crawled: int = 0  # requests come so many at a time; 0: one by one
    tokens: float = 0.0  # mean per answer of a language model; 0 for others


@dataclass(frozen=True)
class Shape:
    """Of the day and week: `exp(swing · cos)` with its peak at `peak_h`, times `weekend` on Saturdays and Sundays."""

    swing: float = 0.5
    second: float = 0.0  # of a wave twice a day
    peak_h: float = 14.0
    weekend: float = 0.8
    cron: float = 0.0  # so much more in the first minute of each hour
    mood: float = 0.07  # how far traffic wanders by the minute


@dataclass(frozen=True)
class Noise:
    """What nobody explains: relative deviations of speed by the minute and by the hour, and short slow spells."""

    minute: float = 0.03
    hour: float = 0.03
    hiccups_per_h: float = 0.1
    hiccup_times: float = 2.0
    bursts_per_h: float = 12.0


@dataclass(frozen=True)
class Spare:
    """Memory that a process keeps as long as nobody needs it: caches, and what the system never took back.

    It fills `share` of what is free with time constant `fill_s` after each start: it looks like a leak that ends.
    """

    share: float = 0.0
    fill_s: float = 3_600.0


@dataclass(frozen=True)
class ServicePlan:
    """`profile.share` and `extra_share` are requests/s at the busiest hour of an ordinary day, from outside and inside.

    `calls`: (service, mean calls per request). Services with the same `store` share one database server: what slows
    it slows all of them, though each has its own connections.
    """

    profile: Profile
    settings: GatewaySettings
    routes: tuple[RoutePlan, ...]
    shape: Shape = Shape()
    noise: Noise = Noise()
    calls: tuple[tuple[str, float], ...] = ()
    store: str = ""
    patience_s: float = 15.0
    cert_expires_s: float = float("nan")  # the ordinary certificate's end; NaN: nobody watches one
    spare: Spare = Spare()

    @property
    def name(self) -> str:
        return self.profile.name


@dataclass(frozen=True)
class Trouble:
    """Something goes wrong, or seems to. `reach_s`: about how long a gradual one takes from its start to failure."""

    kind: str
    service: str
    start_s: float
    duration_s: float
    severity: float
    reach_s: float
    heals: bool = False
    benign: bool = False


@dataclass(frozen=True)
class Deploy:
    """A new version that works: cold for a minute; `pace` is how long own work takes from then on."""

    service: str
    at_s: float
    pace: float = 1.0


@dataclass(frozen=True)
class Gap:
    """Nothing was recorded, of one service or ("") of all."""

    start_s: float
    duration_s: float
    service: str = ""


@dataclass(frozen=True)
class WorldPlan:
    """Everything about a world that is not chance; chance comes from `seed`. `unknown`: columns nobody measures here.

    `hour_s`: when the first full hour of quotas begins. `vary`: 0 switches off what the live model does not have
    (speed noise, hiccups), for comparing the two.
    """

    name: str
    seed: int
    start_s: float  # Unix seconds, a whole minute
    days: float
    services: tuple[ServicePlan, ...]
    troubles: tuple[Trouble, ...] = ()
    deploys: tuple[Deploy, ...] = ()
    config_changes_s: tuple[float, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unknown: frozenset[str] = frozenset()
    environment: str = "production"

    @property
    def minutes(self) -> int:
        return round(self.days * 1440)

    @property
    def steps(self) -> int:
        return self.minutes * STEPS
