"""When requests arrive: a Poisson stream per route whose rate follows the day, the week, moods, bursts and faults."""

from collections.abc import Callable
from math import exp, pi, sin
from random import Random

from foregate.lab.model.world import World
from foregate.lab.scenario import Scenario
from foregate.lab.traffic.visits import ROUTES, Route, Visit

DAY_SWING = 0.3
WEEKEND = 0.8
MOOD_KEEPS = 0.985  # per second: a service's mood wanders over about a minute
MOOD_SPREAD = 0.07
BURST_EVERY_S = 300.0
BURST_FACTOR = (1.2, 1.5)
BURST_S = (4.0, 14.0)
PARTNER_BURST = 12  # the partner's crawler asks so many at a time
REQUESTS_PER_S_MAX = 2_000  # per route; a demand beyond it is cut
DAY_S = 86_400.0


def day_shape(scenario: Scenario, now_s: float) -> float:
    """How busy the time of day and week is in a run of `scenario`; 1 on average over a day of the working week."""
    return _shape(scenario, _phase(_rng(scenario)), now_s)


def _rng(scenario: Scenario) -> Random:
    return Random(f"{scenario.seed}/traffic")  # noqa: S311 - a simulation wants repeatable chance


def _phase(rng: Random) -> float:
    return 2 * pi * rng.random()


def _shape(scenario: Scenario, phase: float, now_s: float) -> float:
    wall_s = scenario.epoch_s + now_s
    days = wall_s / scenario.day_s
    weekend = WEEKEND if scenario.day_s >= DAY_S and (int(wall_s // DAY_S) + 4) % 7 in (0, 6) else 1.0
    return weekend * (1.0 + DAY_SWING * sin(2 * pi * days + phase))


class Arrivals:
    """`second(start_s)` draws one second of visits and hands each to `at(moment_s, visit)`."""

    def __init__(self, world: World, scenario: Scenario, at: Callable[[float, Visit], None]) -> None:
        self._world = world
        self._scenario = scenario
        self._at = at
        self._rng = _rng(scenario)
        self._phase = _phase(self._rng)
        self._mood = dict.fromkeys(world.services, 0.0)
        self._burst = (0.0, 1.0)  # until, factor
        self.rate = scenario.rate  # may be changed while running
        self.sent = 0

    def shape(self, now_s: float) -> float:
        """As `day_shape`, of this run."""
        return _shape(self._scenario, self._phase, now_s)

    def second(self, start_s: float) -> None:
        """Draw the visits of [start_s, start_s + 1)."""
        common = self.rate * self.shape(start_s) * self._bursts(start_s)
        for route in ROUTES:
            service = self._world.services[route.service]
            mean = common * service.profile.share * route.share * self._world.demand[route.service].value
            mean *= exp(self._moods(route.service))
            self._route(route, start_s, min(mean, REQUESTS_PER_S_MAX))

    def _route(self, route: Route, start_s: float, mean: float) -> None:
        random = self._rng.random
        impatient = self._world.impatient[route.service].value
        for moment_s in self._moments(route, start_s, mean):
            visit = route.draw(route, self._rng)
            visit.impatient = impatient > 0.0 and random() < impatient
            self.sent += 1
            self._at(moment_s, visit)

    def _moments(self, route: Route, start_s: float, mean: float) -> list[float]:
        rng = self._rng
        if route.per_s and rng.random() < mean / PARTNER_BURST:  # the crawler: all at once
            return [start_s + rng.random() for _ in range(PARTNER_BURST)]
        if route.per_s or mean <= 0.0:
            return []
        moments = []
        gap_s = rng.expovariate(mean)
        while gap_s < 1.0:
            moments.append(start_s + gap_s)
            gap_s += rng.expovariate(mean)
        return moments

    def _moods(self, service: str) -> float:
        mood = self._mood[service]
        kick = self._rng.gauss(0.0, MOOD_SPREAD * (1.0 - MOOD_KEEPS**2) ** 0.5)
        self._mood[service] = mood * MOOD_KEEPS + kick
        return mood

    def _bursts(self, now_s: float) -> float:
        until_s, factor = self._burst
        if now_s < until_s:
            return factor
        if self._rng.random() < 1.0 / BURST_EVERY_S:
            self._burst = (now_s + self._rng.uniform(*BURST_S), self._rng.uniform(*BURST_FACTOR))
        return 1.0
