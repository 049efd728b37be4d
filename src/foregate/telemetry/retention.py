"""How long windows are kept, by span and organisation."""

from collections.abc import Mapping
from typing import NamedTuple

DAY_S = 86_400.0
KEPT_DAYS = 30  # unless another number is configured
# What is not here is kept as long as single items are. Hours and days are kept for longer: they hold no single item.
RETENTION_S: Mapping[int, float] = {10: 2 * 3_600.0, 60: 7 * DAY_S, 3_600: 400 * DAY_S, 86_400: 400 * DAY_S}
SPANS_KEPT_S = (10, 60, 300, 900, 3_600, 86_400)


class Retention(NamedTuple):
    """`days`: of every organisation that is not in `by_org`. One with days of its own keeps nothing for longer."""

    days: int = KEPT_DAYS
    by_org: Mapping[str, int] = {}

    def kept_s(self, span_s: int, org: str | None = None) -> float:
        """How long windows of this span are kept, of this org or of those without days of their own."""
        days = self.by_org.get(org) if org is not None else None
        if days is not None:
            return min(RETENTION_S.get(span_s, days * DAY_S), days * DAY_S)
        if span_s in RETENTION_S and span_s < 300:
            return min(RETENTION_S[span_s], self.days * DAY_S)
        return max(RETENTION_S.get(span_s, 0.0), self.days * DAY_S)
