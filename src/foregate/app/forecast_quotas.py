"""How much of its scarcest quota a route uses up per hour, from what is left of it and what the route was asked."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from foregate.adapters.embedded.limits.reader import LimitsReader
from foregate.adapters.embedded.limits.rules.calendar_window import period
from foregate.app.signals.quotas import shared_quotas
from foregate.kernel.clock import Clock
from foregate.ports.limits import CalendarWindow
from foregate.wire.entity import Entity
from foregate.wire.snapshot import Snapshot

KIND = "quota"


class QuotaNow(NamedTuple):
    """What is left of it, as a share of its limit, in the calendar's day or month that began at `start_s` (UTC)."""

    left: float
    start_s: float
    end_s: float

    def per_request(self, requests: float) -> float | None:
        """The share that one of the route's requests has used up since then, with all that others took of it; None
        where nothing was used."""
        used = 1.0 - self.left
        return used / requests if used > 0 and requests > 0 else None


def quotas_now(snapshot: Callable[[], Snapshot], reader: LimitsReader, clock: Clock) -> Mapping[Entity, QuotaNow]:
    """Of this gateway's own APIs the scarcest quota that all of their requests share. Nothing where none is set,
    where no worker has counted yet, or where machines share the store. Raises OSError."""
    try:
        current = snapshot()
    except FileNotFoundError:  # no gateway has run here
        return {}
    of = shared_quotas(current)
    subjects = list(dict.fromkeys(one for counted in of.values() for one in counted))
    if not subjects or current.limits_url:
        return {}
    now_s = clock.now()
    left = reader.left(subjects, clock.monotonic(), now_s)
    if left is None:
        return {}
    known = {}
    for one, units in zip(subjects, left, strict=True):
        rule = one[0]
        assert isinstance(rule, CalendarWindow)  # noqa: S101 - shared_quotas makes no other
        _, start_s, end_s = period(now_s, rule.period == "month")
        known[one] = QuotaNow(min(1.0, max(0.0, units / rule.limit)), start_s, end_s)
    return {
        Entity(current.org, service, route, current.environment): min(known[one] for one in counted)
        for (route, service), counted in of.items()
    }
