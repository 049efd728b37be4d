"""What balancing sees of a target."""

from typing import Protocol


class CircuitView(Protocol):
    """The part of `policies.breaker.Circuit` that decides who may be sent to."""

    @property
    def state(self) -> str: ...

    def admits(self, now_s: float) -> bool: ...


class Candidate(Protocol):
    """One target. `latency_s` is its peak EWMA as of `sampled_s`, 0.0 before the first answer; see `target.py`."""

    @property
    def url(self) -> str: ...

    @property
    def weight(self) -> int: ...

    @property
    def inflight(self) -> int: ...

    @property
    def latency_s(self) -> float: ...

    @property
    def sampled_s(self) -> float: ...

    @property
    def circuit(self) -> CircuitView: ...

    @property
    def warming(self) -> bool:
        """Whether it is new or has just recovered: it gets its share gradually."""
        ...

    def share(self, now_s: float) -> float:
        """Of its weight, while it warms up: 0 to 1."""
        ...

    def turn_comes(self, now_s: float) -> bool:
        """Whether a target that warms up takes this turn; asked once for each turn it would have."""
        ...


def takes(target: Candidate, now_s: float, avoid: Candidate | None) -> bool:
    """Whether a request may be sent to it now."""
    return target is not avoid and (target.circuit.state == "closed" or target.circuit.admits(now_s))
