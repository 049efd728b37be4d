"""From which score an alert is raised: a score that somebody set, or the one that keeps to a budget of false alarms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from foregate.predict.models.model import Horizon
from foregate.wire.budget import FIXED_DEFAULT

PER_DAY: Final = 0.5  # false alarms per API and day


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`fixed`: a score for all (ALERT_THRESHOLD), or None. Else `per_day`, and `orgs` where one has its own budget."""

    fixed: float | None = None
    per_day: float = PER_DAY
    orgs: Mapping[str, float] = field(default_factory=dict)

    def budget(self, org: str) -> float | None:
        """False alarms per API and day that one organisation allows; None where a fixed score decides."""
        return None if self.fixed is not None else self.orgs.get(org, self.per_day)

    def of(self, horizon: Horizon, org: str) -> float:
        """The score for one organisation. A budget below all that was measured gets the strictest measured score."""
        if self.fixed is not None:
            return self.fixed
        if not horizon.curve:
            return FIXED_DEFAULT
        found = horizon.threshold(self.orgs.get(org, self.per_day))
        return horizon.curve[0][1] if found is None else found
