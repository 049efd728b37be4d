"""The analyst: learns closed minutes, judges ticks. Pure: no clock, no I/O, nothing random."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from foregate.predict.alerts import AlertBook, Candidate
from foregate.predict.detectors.robust_z import METRICS, score
from foregate.predict.detectors.spells import Spells
from foregate.predict.explain import contributions, reasons
from foregate.predict.failures import HORIZON_S, Failures
from foregate.predict.features import View, vector, view
from foregate.predict.features.words import percent
from foregate.predict.history import REFERENCE_MINUTES_MIN, Floats, History
from foregate.predict.models.model import Model
from foregate.wire.alert import Alert
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity
from foregate.wire.risk import Risk, RiskState
from foregate.wire.window import Tick, WindowStats

QUIET_REQUESTS = 5  # fewer in the last five minutes: there is nothing to judge
NO_MODEL = "off"  # the model version of risks that are made without a model: they are never scored


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What one tick found. `risks`: one per entity of the tick; `anomalies` and `alerts`: only the new or changed ones.

    A new alert has `raised_s == updated_s`; that is the moment to tell people.
    """

    risks: list[Risk] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sight:
    """One entity that can be scored at one tick: what training, serving and evaluation share."""

    tick: Tick
    view: View
    values: Floats


class Analyst:
    """Everything the predict plane remembers. Feed it closed minutes in order, and a list of ticks every 10 s.

    Without a model (`None`) every risk that would be scored says "learning" with the model version "off": no score is
    made up. `threshold` in (0, 1): the score from which an alert is raised.
    """

    def __init__(self, model: Model | None, *, threshold: float, horizon_s: int = HORIZON_S) -> None:
        self._model = model
        self._horizon_s = horizon_s
        self._history = History()
        self._failures = Failures()
        self._spells = Spells()
        self._book = AlertBook(threshold=threshold, horizon_s=horizon_s)
        self._late_alerts: list[Alert] = []  # outcomes found while learning, handed out with the next verdicts

    def learn(self, minutes: Iterable[tuple[Entity, WindowStats]]) -> None:
        """Take in closed 1-minute windows, oldest first per entity; also used to restore the past at start."""
        for entity, minute in minutes:
            if not self._history.add(entity, minute):
                continue
            onset_s = self._failures.observe(entity, minute)
            if onset_s is not None:
                alert = self._book.failed(entity, onset_s, minute.start_s + minute.span_s)
                if alert is not None:
                    self._late_alerts.append(alert)

    def restore(self, alerts: Sequence[Alert], anomalies: Sequence[Anomaly]) -> None:
        """Take up the open alerts and anomalies of before a restart; call it before `learn`."""
        self._book.restore(list(alerts))
        self._spells.restore(list(anomalies))

    def state_of(self, tick: Tick) -> RiskState:
        """What can be said about the entity at all; "scored" means that a score is possible."""
        past = self._history.of(tick.entity)
        if tick.w1.bad or (past is not None and past.bad_minutes(tick.time_s - 120)):
            return "failing"
        if tick.w5.requests < QUIET_REQUESTS:
            return "quiet"
        return "learning" if past is None or past.usual() is None else "scored"

    def sights(self, ticks: Iterable[Tick]) -> list[Sight]:
        """The features of every entity that can be scored now."""
        seen = []
        for tick in ticks:
            past = self._history.of(tick.entity)
            if past is not None and self.state_of(tick) == "scored" and (one := view(tick, past)) is not None:
                seen.append(one)
        return [Sight(one.tick, one, vector(one)) for one in seen]

    def eligible(self, tick: Tick) -> bool:
        """Whether a new failure could begin now (no bad minute within the last ten)."""
        return self._failures.eligible(tick.entity, tick.time_s)

    def judge(self, ticks: Sequence[Tick]) -> Verdicts:
        """The verdicts on all entities at one moment. One model call for all of them."""
        verdicts = Verdicts(alerts=self._late_alerts)
        self._late_alerts = []
        if not ticks:
            return verdicts
        sights = self.sights(ticks)
        for sight in sights:
            readings = [score(sight.view, metric) for metric in METRICS]
            verdicts.anomalies.extend(self._spells.observe(sight.tick.time_s, sight.tick.entity, readings))
        verdicts.anomalies.extend(self._spells.expire(ticks[0].time_s))
        scored = self._score(sights, verdicts)
        verdicts.risks.extend(scored.get(tick.entity) or self._unscored(tick) for tick in ticks)
        suspects = {a.entity: s for a in self._book.unresolved() if (s := self._failures.suspect_since_s(a.entity))}
        verdicts.alerts.extend(self._book.expire(ticks[0].time_s, suspects))
        return verdicts

    def _score(self, sights: list[Sight], verdicts: Verdicts) -> dict[Entity, Risk]:
        if self._model is None or not sights:
            return {}
        result = self._model.score(np.vstack([sight.values for sight in sights]))
        risks: dict[Entity, Risk] = {}
        shares = dict(zip(result.explained.tolist(), result.shap, strict=True))
        for i, (sight, probability) in enumerate(zip(sights, result.probability.tolist(), strict=True)):
            risk = self._risk(sight.tick, "scored", probability, self._model.version, sight, shares.get(i))
            risks[sight.tick.entity] = risk
            alert = self._book.offer(self._candidate(risk, sight.tick))
            if alert is not None:
                verdicts.alerts.append(alert)
        return risks

    def _risk(
        self, tick: Tick, state: RiskState, score_: float | None, version: str, sight: Sight | None, shap: Floats | None
    ) -> Risk:
        past = self._history.of(tick.entity)
        why = contributions(sight.view, shap, sight.values) if sight is not None and shap is not None else ()
        return Risk(
            time_s=tick.time_s,
            entity=tick.entity,
            state=state,
            score=score_,
            horizon_s=self._horizon_s,
            model_version=version,
            minutes_seen=float(past.minutes_usable()) if past else 0.0,
            minutes_needed=float(REFERENCE_MINUTES_MIN),
            contributions=why,
        )

    def _unscored(self, tick: Tick) -> Risk:
        state = self.state_of(tick)
        version = self._model.version if self._model else NO_MODEL
        return self._risk(tick, "learning" if state == "scored" else state, None, version, None, None)

    def _candidate(self, risk: Risk, tick: Tick) -> Candidate:
        minutes = self._horizon_s // 60
        score_ = risk.score or 0.0
        return Candidate(
            time_s=risk.time_s,
            entity=risk.entity,
            score=score_,
            eligible=self.eligible(tick),
            model_version=risk.model_version,
            title=f"{risk.entity.label} is likely to fail within {minutes} minutes ({percent(score_)})",
            reasons=reasons(risk.contributions),
        )
