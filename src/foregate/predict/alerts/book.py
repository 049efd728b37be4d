"""The alert book: raise, keep one per entity and horizon, close with hysteresis, and judge the outcome."""

import hashlib
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from foregate.kernel.limits import OPEN_ALERTS_MAX
from foregate.predict.failures import BAD_IN_A_ROW
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity

CLOSE_SHARE: Final = 0.5  # an open alert closes when its score stays below half of the threshold …
CLOSE_TICKS: Final = 6  # … for so many ticks (a minute)
PEAK_STEP: Final = 0.02  # a peak is told again when it has grown by so much
UNSEEN_S: Final = 120.0  # a page may come so late into a first bad minute that has not closed yet
_AHEAD_S: Final = 60.0  # raised so far in the future: the clock was set back, and no horizon would end it
CONFIRM_S: Final = (BAD_IN_A_ROW + 2) * 60.0  # how long a failure that began in the horizon may take to be certain


@dataclass(frozen=True, slots=True)
class Candidate:
    """A score beside its threshold, as the book needs it. `eligible`: a new failure could begin now."""

    time_s: float
    entity: Entity
    score: float
    threshold: float
    eligible: bool
    model_version: str
    title: str
    reasons: tuple[str, ...]


@dataclass(slots=True)
class _Page:
    alert: Alert
    low_ticks: int = 0


def alert_id(entity: Entity, raised_s: float) -> str:
    """The same alert has the same id whenever it is computed: a replay replaces it, never pages twice."""
    told = "\0".join((entity.org, entity.service, entity.route, entity.environment, repr(raised_s)))
    return "alr_" + hashlib.blake2b(told.encode(), digest_size=10).hexdigest()


class AlertBook:
    """Every alert whose outcome is still open, one per entity. Pure: time comes with the calls.

    An alert is valid for one horizon and then pages again: otherwise one endless alarm would foresee everything.
    At most `pages_max` at a time; beyond it new ones are refused and counted in `refused`.
    """

    def __init__(self, *, horizon_s: int, pages_max: int = OPEN_ALERTS_MAX) -> None:
        self._horizon_s, self._pages_max = horizon_s, pages_max
        self._pages: dict[Entity, _Page] = {}
        self._replaced: list[Alert] = []  # by a later one of the same entity, when both were restored
        self.refused = 0

    def restore(self, alerts: list[Alert]) -> None:
        """Take up again the alerts whose outcome was open before a restart."""
        for alert in sorted(alerts, key=lambda a: a.raised_s):
            if alert.kind == "risk" and (alert.outcome == "pending" or alert.state == "open"):
                before = self._pages.pop(alert.entity, None)
                if before is not None:
                    self._replaced.append(before.alert)
                self._pages[alert.entity] = _Page(alert)

    def holds(self, entity: Entity) -> bool:
        """Whether an alert of the entity is open, or its outcome is."""
        return entity in self._pages

    def offer(self, c: Candidate) -> Alert | None:
        """One score. Returns the alert when it is new or changed."""
        page = self._pages.get(c.entity)
        if page is None:
            return self._raise(c) if c.score >= c.threshold and c.eligible else None
        return self._follow(page, c)

    def _raise(self, c: Candidate) -> Alert | None:
        if len(self._pages) >= self._pages_max:
            self.refused += 1
            return None
        alert = Alert(
            id=alert_id(c.entity, c.time_s),
            raised_s=c.time_s,
            updated_s=c.time_s,
            entity=c.entity,
            state="open",
            outcome="pending",
            score=c.score,
            peak_score=c.score,
            threshold=c.threshold,
            horizon_s=self._horizon_s,
            model_version=c.model_version,
            title=c.title,
            reasons=c.reasons,
        )
        self._pages[c.entity] = _Page(alert)
        return alert

    def _follow(self, page: _Page, c: Candidate) -> Alert | None:
        alert = page.alert
        # By the threshold of now: when another model or budget has come, that of then says nothing about this score.
        page.low_ticks = page.low_ticks + 1 if c.score < c.threshold * CLOSE_SHARE else 0
        if alert.state == "closed" and c.score >= c.threshold and alert.outcome == "pending":
            return self._update(page, c.time_s, state="open", closed_s=None)  # the same alarm, not a second one
        if alert.state == "open" and page.low_ticks >= CLOSE_TICKS:
            return self._update(page, c.time_s, state="closed", closed_s=c.time_s)
        if c.score >= alert.peak_score + PEAK_STEP:
            return self._update(page, c.time_s, peak_score=c.score)
        return None

    def failed(self, entity: Entity, onset_s: float, time_s: float) -> Alert | None:
        """A failure of the entity is certain; it began at `onset_s`. Returns its alert when that foresaw it."""
        page = self._pages.get(entity)
        if page is None or page.alert.outcome != "pending":
            return None
        # An alert is raised up to two minutes into a first bad minute that has not closed yet; what began before that
        # was over when it was raised (and is only being learned again after a restart).
        if not page.alert.raised_s - UNSEEN_S <= onset_s <= page.alert.raised_s + self._horizon_s:
            return None
        return self._update(page, time_s, outcome="failed", failed_s=onset_s, lead_s=onset_s - page.alert.raised_s)

    def expire(self, time_s: float, suspects: dict[Entity, float]) -> list[Alert]:
        """Close what is over at `time_s`, or lies ahead of it. `suspects`: first bad minutes that may still turn out to
        be failures."""
        changed = [_ended(alert, time_s) for alert in self._replaced]
        self._replaced = []
        for entity, page in list(self._pages.items()):
            if page.alert.raised_s - _AHEAD_S <= time_s and not self._over(page.alert, time_s, suspects.get(entity)):
                continue
            del self._pages[entity]
            changed.append(_ended(page.alert, time_s))
        return changed

    def _over(self, alert: Alert, time_s: float, suspect_s: float | None) -> bool:
        end_s = alert.raised_s + self._horizon_s
        # Its last minute closes up to a minute after the horizon; a spell begun within it needs three bad minutes.
        waits = time_s < end_s + 60 or (suspect_s is not None and suspect_s <= end_s)
        return time_s >= end_s and not (alert.outcome == "pending" and waits and time_s < end_s + CONFIRM_S)

    def _update(self, page: _Page, time_s: float, **fields: object) -> Alert:
        page.alert = replace(page.alert, updated_s=time_s, **fields)
        return page.alert

    def unresolved(self) -> list[Alert]:
        return [page.alert for page in self._pages.values()]


def _ended(alert: Alert, time_s: float) -> Alert:
    outcome = "no_failure" if alert.outcome == "pending" else alert.outcome
    closed_s = time_s if alert.closed_s is None else alert.closed_s
    return replace(alert, updated_s=time_s, state="closed", outcome=outcome, closed_s=closed_s)
