"""The whole demo world: its services, and what traffic does to them."""

from random import Random

from foregate.lab.model.knob import Amount, Factor
from foregate.lab.model.profile import PROFILES, varied
from foregate.lab.model.service import Service
from foregate.lab.scenario import Scenario
from foregate.lab.services import build


class World:
    """Everything a fault can take hold of. `demand` multiplies a service's traffic; `impatient` is the share of its
    clients that repeat slow and failed calls at once.
    """

    def __init__(self, scenario: Scenario) -> None:
        rng = Random(f"{scenario.seed}/world")  # noqa: S311 - a simulation wants repeatable chance
        profiles = tuple(varied(profile, rng, scenario.variation) for profile in PROFILES)
        self.rate = scenario.rate
        self.services: dict[str, Service] = build(profiles, scenario.rate, scenario.seed)
        self.demand = {name: Factor() for name in self.services}
        self.impatient = {name: Amount() for name in self.services}

    def tick(self, elapsed_s: float) -> None:
        """What happens by the second rather than by the request."""
        for service in self.services.values():
            for instance in service.instances:
                instance.tick(elapsed_s)
