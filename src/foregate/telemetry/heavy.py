"""Who asked most, in bounded space and mergeable (Misra and Gries).

Of more than `HITTERS_MAX` the smallest are dropped, and all others are lowered by as much as the largest of those had:
what is said of one that is kept is then at most `error_max` too low, and never too high; one that is not kept had at
most `error_max`. That is never more than a (HITTERS_MAX + 1)th part of everything counted.
Source: Agarwal et al.: Mergeable summaries, PODS 2012, section 2, https://doi.org/10.1145/2213556.2213562
"""

from collections.abc import Mapping

HITTERS_MAX = 32


class HeavyHitters:
    """Counts per name. Exact (`error_max` = 0) until there are more than HITTERS_MAX names."""

    __slots__ = ("counts", "error_max")

    def __init__(self, counts: dict[str, int] | None = None, error_max: int = 0) -> None:
        self.counts: dict[str, int] = {} if counts is None else counts
        self.error_max = error_max

    def update(self, counts: Mapping[str, int]) -> None:
        """Add so many of each name."""
        mine = self.counts
        for name, count in counts.items():
            mine[name] = mine.get(name, 0) + count
        if len(mine) > HITTERS_MAX:
            lower_by = sorted(mine.values(), reverse=True)[HITTERS_MAX]
            self.counts = {name: count - lower_by for name, count in mine.items() if count > lower_by}
            self.error_max += lower_by

    def merge(self, other: "HeavyHitters") -> None:
        """Add what `other` counted; its error is ours, too."""
        self.update(other.counts)
        self.error_max += other.error_max

    def top(self, names_max: int) -> list[tuple[str, int]]:
        """The most frequent, by falling count and then by name."""
        return sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))[:names_max]
