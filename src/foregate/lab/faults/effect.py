"""What all faults share."""

from typing import Protocol


class Effect(Protocol):
    """A fault at work: `step` is called about once a second with its age, `end` once when it is over."""

    def step(self, age_s: float) -> None: ...

    def end(self) -> None: ...
