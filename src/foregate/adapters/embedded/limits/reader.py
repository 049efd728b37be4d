"""What is left of limits, for whoever looks at them and takes nothing."""

from collections.abc import Sequence
from pathlib import Path

from foregate.adapters.embedded.limits.rules import compiled
from foregate.adapters.embedded.limits.rules.algorithm import Algorithm
from foregate.adapters.embedded.limits.store import RULES_MAX, boot_id, entry_name
from foregate.adapters.embedded.limits.table import existing_table
from foregate.ports.limits import Rule

_ANY_WORKER = 0  # whose cells are read beside all others': nothing is written


class LimitsReader:
    """Opens the file anew for each look, which costs some microseconds: workers may have put another in its place."""

    def __init__(self, path: Path, boot: bytes | None = None) -> None:
        """`boot`: as for `open_limits`."""
        self._path = path
        self._boot = boot_id() if boot is None else boot
        self._algorithms: dict[Rule, Algorithm] = {}

    def left(self, subjects: Sequence[tuple[Rule, bytes]], now_s: float, wall_s: float) -> list[float] | None:
        """How much of each is left, below 0 where more was taken than there was. What nobody has taken of is whole.

        `now_s`: the monotonic clock, `wall_s`: Unix time, both now. None while there is no file, or one of another run
        of the machine, which the first worker is about to carry over. Raises OSError.
        """
        table = existing_table(self._path)
        if table is None:
            return None
        try:
            if table.shape.boot != self._boot:
                return None
            found = []
            for rule, subject in subjects:
                algorithm = self._algorithm(rule)
                place = table.find(entry_name(rule, subject), now_s + table.ahead_s)
                cells = (0.0, 0.0) if place is None else table.cells(place[0])
                found.append(algorithm.decide(cells, _ANY_WORKER, now_s, wall_s, 0.0)[2])
            return found
        finally:
            table.close()

    def _algorithm(self, rule: Rule) -> Algorithm:
        algorithm = self._algorithms.get(rule)
        if algorithm is None:
            if len(self._algorithms) >= RULES_MAX:
                self._algorithms.clear()
            algorithm = self._algorithms[rule] = compiled(rule)
        return algorithm
