"""Burn-rate alerts: one per entity, objective and severity, raised by a rule, closed when none has held for a while."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec.structs import replace

from foregate.kernel.limits import OPEN_ALERTS_MAX
from foregate.predict.features.words import percent, times
from foregate.predict.slo.rules import RULES, Rule, factor_of
from foregate.wire.alert import Alert, AlertSeverity
from foregate.wire.entity import Entity
from foregate.wire.objective import Budget, Objective, ObjectiveState

CLOSE_LOOKS: Final = 5  # an alert closes when no rule of its severity has held for so many looks (minutes)
PEAK_STEP: Final = 1.2  # a peak is told again when it has grown by a fifth
_SEVERITIES: Final[tuple[AlertSeverity, ...]] = ("page", "ticket")  # while a page is open nothing raises a ticket


class _Key(NamedTuple):
    entity: Entity
    objective: str
    severity: AlertSeverity


@dataclass(slots=True)
class _Page:
    alert: Alert
    calm_looks: int = 0


class BurnBook:
    """The open burn-rate alerts, `pages_max` at most; further ones are refused and counted in `refused`. Pure."""

    def __init__(self, *, pages_max: int = OPEN_ALERTS_MAX) -> None:
        self._pages_max = pages_max
        self._pages: dict[_Key, _Page] = {}
        self.refused = 0

    def restore(self, alerts: list[Alert]) -> None:
        """Take up again what was open before a restart."""
        for alert in alerts:
            self._pages[_Key(alert.entity, alert.objective, alert.severity)] = _Page(alert)

    def judge(self, time_s: float, states: Mapping[Entity, ObjectiveState]) -> list[Alert]:
        """One look at all entities, about once a minute. Returns the alerts that are new or changed."""
        changed = []
        seen = set()
        for entity, state in states.items():
            for budget in state.budgets:
                for severity in _SEVERITIES:
                    key = _Key(entity, budget.kind, severity)
                    seen.add(key)
                    alert = self._look(time_s, key, state.objective, budget)
                    if alert is not None:
                        changed.append(alert)
        gone = [each for each in self._pages if each not in seen]  # nobody watches them any more
        return changed + [self._close(key, time_s) for key in gone]

    def _look(self, time_s: float, key: _Key, objective: Objective, budget: Budget) -> Alert | None:
        page = self._pages.get(key)
        held = list(_held(key.severity, objective, budget))
        if page is None:
            paged = key.severity == "ticket" and key._replace(severity="page") in self._pages
            return self._raise(time_s, key, objective, budget, held) if held and not paged else None
        page.calm_looks = 0 if held else page.calm_looks + 1
        if page.calm_looks >= CLOSE_LOOKS:
            return self._close(key, time_s)
        peak = max((rate for _, rate in held), default=0.0)
        if peak >= page.alert.peak_score * PEAK_STEP:
            page.alert = replace(page.alert, updated_s=time_s, peak_score=peak)
            return page.alert
        return None

    def _raise(
        self, time_s: float, key: _Key, objective: Objective, budget: Budget, held: list[tuple[Rule, float]]
    ) -> Alert | None:
        if len(self._pages) >= self._pages_max:
            self.refused += 1
            return None
        rule, burn = held[0]
        alert = Alert(
            id=_id(key, time_s),
            raised_s=time_s,
            updated_s=time_s,
            entity=key.entity,
            state="open",
            outcome="measured",
            score=burn,
            peak_score=burn,
            threshold=factor_of(rule, budget.target),
            horizon_s=rule.long_s,
            model_version="burn_rate",
            title=_title(key.entity, budget, burn),
            reasons=tuple(_reasons(rule, objective, budget)),
            kind="burn_rate",
            severity=key.severity,
            objective=budget.kind,
        )
        self._pages[key] = _Page(alert)
        return alert

    def _close(self, key: _Key, time_s: float) -> Alert:
        return replace(self._pages.pop(key).alert, updated_s=time_s, state="closed", closed_s=time_s)


def _held(severity: AlertSeverity, objective: Objective, budget: Budget) -> Iterator[tuple[Rule, float]]:
    """The rules of this severity that hold, the fastest first, each with the burn rate of its longer window."""
    counted = {burn.window_s: burn for burn in budget.burn}
    for rule in RULES:
        if rule.severity != severity:
            continue
        long, short, factor = counted[rule.long_s], counted[rule.short_s], factor_of(rule, budget.target)
        enough = long.requests >= objective.requests_min and long.bad >= objective.errors_min
        if enough and (long.rate or 0.0) >= factor and (short.rate or 0.0) >= factor:
            yield rule, long.rate or 0.0


def _title(entity: Entity, budget: Budget, burn: float) -> str:
    if budget.kind == "latency":
        return f"{entity.label} is slow too often: its latency budget goes {times(burn)} too fast"
    return f"{entity.label} fails too often: its error budget goes {times(burn)} too fast"


def _reasons(rule: Rule, objective: Objective, budget: Budget) -> Iterator[str]:
    shares = {burn.window_s: burn.bad / burn.requests for burn in budget.burn if burn.requests}
    what = "failed" if budget.kind == "availability" else f"took longer than {objective.latency_ms:g} ms"
    yield (
        f"{percent(shares[rule.long_s])} of requests {what} in the last {_last(rule.long_s)} and "
        f"{percent(shares[rule.short_s])} in the last {_last(rule.short_s)}; {100.0 * (1.0 - budget.target):.3g} % may"
    )
    days = objective.period_days
    if budget.left <= 0:
        yield f"the budget of {days} days is spent, {times(1.0 - budget.left)} of it"
        return
    yield f"{percent(budget.left)} of the budget of {days} days is left"
    if budget.broken_in_s is not None:
        yield f"as in the last hour it is spent within {_span(budget.broken_in_s)}"


def _span(seconds: float) -> str:
    """A stretch of time in its largest fitting unit: "5 minutes", "1 hour", "3.5 days"."""
    for unit, long_s in (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0)):
        if seconds >= long_s or unit == "minute":
            number = f"{seconds / long_s:.1f}".removesuffix(".0")
            return f"1 {unit}" if number == "1" else f"{number} {unit}s"
    return ""


def _last(seconds: float) -> str:
    return _span(seconds).removeprefix("1 ")


def _id(key: _Key, raised_s: float) -> str:
    """The same alert has the same id whenever it is computed."""
    entity = key.entity
    told = "\0".join((*(entity.org, entity.service, entity.route, entity.environment), *key[1:], repr(raised_s)))
    return "alr_" + hashlib.blake2b(told.encode(), digest_size=10).hexdigest()
