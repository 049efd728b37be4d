"""What all faults share."""

from typing import Protocol

from foregate.lab.model.service import Service


class Effect(Protocol):
    """A fault at work: `step` is called about once a second with its age, `end` once when it is over."""

    def step(self, age_s: float) -> None: ...

    def end(self) -> None: ...


def slowdown_to(service: Service, rate: float, busy: float, most: float) -> float:
    """By how much its database must slow down until ordinary traffic keeps `busy` of the service's seats occupied.

    Never more than `most`, never less than 1.
    """
    profile = service.profile
    hold_s = profile.hold_s * busy / profile.utilisation(rate)
    return min(most, max(1.0, 1.0 + (hold_s - profile.hold_s) / (profile.misses * profile.query_s)))
