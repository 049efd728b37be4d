"""When a dead child may start again."""

from dataclasses import dataclass


@dataclass
class Backoff:
    """Wait 0.2 s, 0.4 s, … at most 10 s; a child that lived for 30 s starts from the beginning."""

    base_s: float = 0.2
    max_s: float = 10.0
    healthy_s: float = 30.0
    failures: int = 0

    def after_death(self, lived_s: float) -> float:
        """Seconds to wait before the next start, given how long the child lived."""
        self.failures = 1 if lived_s >= self.healthy_s else self.failures + 1
        return min(self.base_s * 2.0 ** min(self.failures - 1, 16), self.max_s)
