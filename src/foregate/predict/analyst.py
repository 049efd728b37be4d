"""The analyst: learns closed minutes, judges ticks. Pure: no clock, no I/O, nothing random."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from foregate.kernel.limits import ENTITIES_MAX
from foregate.predict.alerts import AlertBook, Candidate, Kept, OwnRecords, Thresholds
from foregate.predict.explain import reasons
from foregate.predict.failures import HORIZON_S, Failures
from foregate.predict.features import health, matrix
from foregate.predict.features.around import Call
from foregate.predict.features.words import percent
from foregate.predict.models.model import EXPLAIN_MAX, Horizon, Model
from foregate.predict.moments import live_frame, live_health
from foregate.predict.panel import Panel
from foregate.predict.unusual import Unusual
from foregate.predict.usual import REFERENCE_MINUTES_MIN, Floats, cleaned
from foregate.predict.verdict import NO_MODEL, Answer, Seen, scored, unscored
from foregate.wire.alert import Alert
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, row_of
from foregate.wire.risk import Risk, RiskState
from foregate.wire.window import Tick, WindowStats

LIKELY: Final = 0.5  # a lower score may keep to the budget of false alarms; it is told as "may"
QUIET_REQUESTS: Final = 5  # fewer in the last five minutes: there is nothing to judge
JUDGED_A_TICK: Final = 2_000  # with more entities they take turns, so that each is judged once a minute at least
TURNS: Final = (1, 2, 3, 6)  # divisors of a minute's six ticks: nobody comes twice while others come once
NO_COUNTS: Final[Kept] = {}
Beside = Mapping[Entity, Mapping[str, float]]
Observer = Callable[[str, str, NDArray[np.float32], float], None]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What one tick found. `risks`: of the entities whose turn it was; `anomalies`, `alerts`: only new or changed ones.

    A new alert has `raised_s == updated_s`; that is the moment to tell people.
    """

    risks: list[Risk] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


class Judges(Protocol):
    """Which model judges an organisation's APIs; None: none does."""

    def of(self, org: str) -> Model | None: ...


@dataclass(frozen=True, slots=True)
class Models:
    """The simplest judges: a model for everybody, and another one for some organisations."""

    default: Model | None
    of_org: Mapping[str, Model | None] = field(default_factory=dict)

    def of(self, org: str) -> Model | None:
        return self.of_org.get(org, self.default)


class Analyst:
    """Everything the predict plane remembers. Feed it closed minutes in order, and a list of ticks every 10 s.

    Without a model every risk that would be scored says "learning" with the model version "off": no score is made up.
    `observer(org, model version, rows, time_s)` is shown the features that were judged: to see a shift. Without
    `explain` scores come without reasons, at half of the cost.
    """

    def __init__(
        self,
        models: Judges,
        thresholds: Thresholds,
        *,
        observer: Observer | None = None,
        explain: bool = True,
        entities_max: int = ENTITIES_MAX,
    ) -> None:
        self._models, self._thresholds, self._observer = models, thresholds, observer
        self._explain_max = EXPLAIN_MAX if explain else 0
        self._panel = Panel(entities_max)
        self._calls: Collection[Call] = ()
        self._health: dict[Entity, Floats] = {}  # of all that are asked now, as of their last turn
        self._judged = False  # anything yet: what is learned before is the stored past
        self._failures = Failures()
        self._unusual = Unusual()
        self._late_anomalies: list[Anomaly] = []  # of closed minutes, handed out likewise
        self._book = AlertBook(horizon_s=HORIZON_S)
        self._own = OwnRecords(HORIZON_S)
        self._late_alerts: list[Alert] = []  # outcomes found while learning, handed out with the next verdicts

    @property
    def refused(self) -> int:
        """How many times a score would have raised an alert, had not too many been open."""
        return self._book.refused

    def connect(self, calls: Collection[Call]) -> None:
        """The service map: (org, environment, caller, called)."""
        self._calls = calls

    def learn(self, minutes: Iterable[tuple[Entity, WindowStats]], beside: Beside | None = None) -> None:
        """Take in closed 1-minute windows, oldest first per entity. `beside`: what is known besides."""
        by_start: dict[float, dict[Entity, WindowStats]] = {}
        for entity, minute in minutes:
            by_start.setdefault(minute.start_s, {})[entity] = minute
        known = beside or {}
        for start_s, stats in sorted(by_start.items()):
            rows = {entity: row_of(one, known.get(entity)) for entity, one in stats.items()}
            new = self._panel.learn(start_s, rows)
            self._panel.fall_silent(start_s, rows)
            if self._judged:
                self._panel.renew(start_s + 60)
            else:  # of the stored past levels are made once, at the first judgement
                self._panel.close_quarter(start_s + 60)
            self._notice(start_s + 60, new, _rows([rows[entity] for entity in new]))
            for entity in new:
                self._follow(entity, stats[entity])

    def _notice(self, end_s: float, entities: Sequence[Entity], rows: Floats) -> None:
        """Look at a closed minute, or only learn it where it is of a time before the first judgement."""
        if not entities:
            return
        if not self._judged:
            self._unusual.learn(end_s, entities, rows)
            return
        usual = self._panel.usual(self._panel.slots(entities))
        self._late_anomalies.extend(self._unusual.minute(end_s, entities, rows, usual))

    def _follow(self, entity: Entity, minute: WindowStats) -> None:
        onset_s = self._failures.observe(entity, minute)
        if onset_s is not None:
            self._own.failed(entity, onset_s)
            alert = self._book.failed(entity, onset_s, minute.start_s + minute.span_s)
            if alert is not None:
                self._late_alerts.append(alert)

    def learn_quarters(self, start_s: float, windows: Iterable[tuple[Entity, WindowStats]]) -> None:
        """Take in stored windows of a quarter of an hour that began at `start_s`: what other days were like."""
        rows = {e: (w.rps, w.p95_ms, w.error_rate) for e, w in windows if w.requests >= QUIET_REQUESTS and not w.bad}
        self._panel.learn_quarters(start_s, rows)

    @property
    def false_alarms(self) -> Kept:
        """What scores have cost each organisation so far: to be kept over a restart."""
        return self._own.counts

    def restore(self, alerts: Sequence[Alert], anomalies: Sequence[Anomaly], false_alarms: Kept = NO_COUNTS) -> None:
        """Take up the open alerts and anomalies of before a restart, and what scores had cost; before `learn`."""
        self._book.restore(list(alerts))
        self._unusual.restore(list(anomalies))
        self._own = OwnRecords(HORIZON_S, false_alarms)

    def judge(self, ticks: Sequence[Tick], time_s: float | None = None) -> Verdicts:
        """The verdicts at one moment. One model call for all entities that share a model.

        `time_s`: when it is, where there may be no tick to say so; what was open then still ends in time.
        """
        verdicts = Verdicts(alerts=self._late_alerts, anomalies=self._late_anomalies)
        self._late_alerts, self._late_anomalies = [], []
        if not self._judged:
            self._judged = True
            self._panel.settle()
        time_s = ticks[0].time_s if ticks else time_s
        if time_s is None:
            return verdicts
        everybody = {tick.entity: tick for tick in ticks}
        ticks = self._in_turn(list(everybody.values()))
        slots = self._panel.slots([tick.entity for tick in ticks])
        states, past = self._states(ticks, slots, time_s), self._seen(slots, time_s)
        fit = [i for i, state in enumerate(states) if state == "scored"]
        self._health = {entity: known for entity in everybody if (known := self._health.get(entity)) is not None}
        self._look_at([tick for tick, state in zip(ticks, states, strict=True) if state != "scored"], time_s)
        risks = self._scored([ticks[i] for i in fit], [past[i] for i in fit], time_s, verdicts) if fit else {}
        verdicts.anomalies.extend(self._unusual.expire(time_s))
        for tick, state, seen in zip(ticks, states, past, strict=True):
            no_model = "learning" if state == "scored" else state
            verdicts.risks.append(risks.get(tick.entity) or self._unscored(tick, no_model, seen))
        self._own.settle(time_s)
        suspects = {a.entity: s for a in self._book.unresolved() if (s := self._failures.suspect_since_s(a.entity))}
        verdicts.alerts.extend(self._book.expire(time_s, suspects))
        return verdicts

    def _in_turn(self, ticks: Sequence[Tick]) -> Sequence[Tick]:
        """All of them, or those whose turn it is, and whoever has an open alert."""
        turns = next((turns for turns in TURNS if len(ticks) <= turns * JUDGED_A_TICK), TURNS[-1])
        if turns == 1:
            return ticks
        turn = int(ticks[0].time_s // 10) % turns
        watched = {alert.entity for alert in self._book.unresolved()}
        slots = self._panel.slots([tick.entity for tick in ticks])  # a slot is kept, an entity's place in the list not
        return [t for t, slot in zip(ticks, slots.tolist(), strict=True) if slot % turns == turn or t.entity in watched]

    def _states(self, ticks: Sequence[Tick], slots: NDArray[np.intp], time_s: float) -> list[RiskState]:
        """What can be said about each at all; "scored" means that a score is possible."""
        known = slots >= 0
        usual, bad = np.zeros(len(ticks), dtype=bool), np.zeros(len(ticks), dtype=bool)
        usual[known] = self._panel.usual(slots[known]).minutes >= REFERENCE_MINUTES_MIN
        bad[known] = self._panel.bad_minutes(slots[known], time_s, 2) > 0
        return [
            "failing" if t.w1.bad or b else "quiet" if t.w5.requests < QUIET_REQUESTS else "scored" if u else "learning"
            for t, u, b in zip(ticks, usual.tolist(), bad.tolist(), strict=True)
        ]

    def _seen(self, slots: NDArray[np.intp], time_s: float) -> list[Seen]:
        known = slots >= 0
        minutes, hours = np.zeros(len(slots), dtype=np.int64), np.zeros(len(slots))
        minutes[known] = self._panel.usable_minutes(slots[known], time_s)
        hours[known] = self._panel.known_hours(slots[known], time_s)
        return [Seen(m, h) for m, h in zip(minutes.tolist(), hours.tolist(), strict=True)]

    def _look_at(self, ticks: Sequence[Tick], time_s: float) -> None:
        """How those are that get no score: they are around others."""
        known = [tick for tick in ticks if tick.entity in self._panel]
        if known:
            entities, now = [tick.entity for tick in known], _rows([row_of(tick.w1) for tick in known])
            self._health.update(zip(entities, live_health(self._panel, entities, time_s, now), strict=True))

    def _scored(
        self, ticks: Sequence[Tick], seen: Sequence[Seen], time_s: float, verdicts: Verdicts
    ) -> dict[Entity, Risk]:
        entities = [tick.entity for tick in ticks]
        now = _rows([row_of(tick.w1) for tick in ticks])
        for entity in entities:
            self._health.pop(entity, None)
        frame = live_frame(self._panel, entities, time_s, now, self._calls, self._health)
        self._health.update(zip(entities, health(frame), strict=True))
        verdicts.anomalies.extend(self._unusual.tick(time_s, entities, frame))
        rows = matrix(frame)
        risks: dict[Entity, Risk] = {}
        for model, chosen in self._by_model(entities):
            self._show(model, entities, rows, chosen, time_s)
            for i, answer in zip(chosen.tolist(), self._answers(model, rows[chosen], entities, chosen), strict=True):
                risk = scored(entities[i], time_s, answer, frame, i, rows[i], seen[i])
                risks[risk.entity] = risk
                threshold = answer.thresholds[answer.horizons_s.index(risk.horizon_s)]
                if risk.score is None or (risk.score < threshold and not self._book.holds(risk.entity)):
                    continue
                alert = self._book.offer(self._candidate(risk, risk.score, threshold))
                if alert is not None:
                    verdicts.alerts.append(alert)
            self._count([risks[entities[i]] for i in chosen.tolist()], model, time_s)
        return risks

    def _show(
        self, model: Model, entities: Sequence[Entity], rows: Floats, chosen: NDArray[np.intp], time_s: float
    ) -> None:
        if self._observer is None:
            return
        orgs = np.array([entities[i].org for i in chosen.tolist()])
        for org in np.unique(orgs).tolist():
            self._observer(org, model.version, rows[chosen[orgs == org]], time_s)

    def _by_model(self, entities: Sequence[Entity]) -> list[tuple[Model, NDArray[np.intp]]]:
        chosen: dict[str, tuple[Model, list[int]]] = {}
        for i, entity in enumerate(entities):
            model = self._models.of(entity.org)
            if model is not None:
                chosen.setdefault(model.version, (model, []))[1].append(i)
        return [(model, np.array(rows, dtype=np.intp)) for model, rows in chosen.values()]

    def _answers(
        self, model: Model, rows: Floats, entities: Sequence[Entity], chosen: NDArray[np.intp]
    ) -> Iterable[Answer]:
        result = model.score(rows, self._explain_max)
        shap = dict(zip(result.explained.tolist(), result.shap, strict=True))
        horizons = model.header.horizons
        horizons_s = tuple(horizon.horizon_s for horizon in horizons)
        orgs = {entities[i].org for i in chosen.tolist()}
        thresholds = {org: tuple(self._threshold(model, horizon, org) for horizon in horizons) for org in orgs}
        for k, (i, probability) in enumerate(zip(chosen.tolist(), result.probability.tolist(), strict=True)):
            yield Answer(probability, horizons_s, thresholds[entities[i].org], shap.get(k), model.version)

    def _threshold(self, model: Model, horizon: Horizon, org: str) -> float:
        """Of alerts it is the one that keeps the budget on the organisation's own APIs, as far as these are known."""
        budget = self._thresholds.budget(org)
        if budget is None or horizon is not model.alerting or not horizon.curve:
            return self._thresholds.of(horizon, org)
        record = self._own.of(org, model.version, horizon.curve)
        return record.threshold(budget) if record else self._thresholds.of(horizon, org)

    def _count(self, risks: Iterable[Risk], model: Model, time_s: float) -> None:
        """What these scores would have cost, whatever the threshold."""
        by_org: dict[str, tuple[list[Entity], list[float]]] = {}
        for risk in risks:
            if risk.score is not None and self._failures.eligible(risk.entity, time_s):
                entities, scores = by_org.setdefault(risk.entity.org, ([], []))
                entities.append(risk.entity)
                scores.append(risk.score)
        for org, (entities, scores) in by_org.items():
            if self._thresholds.budget(org) is not None and model.alerting.curve:
                record = self._own.of(org, model.version, model.alerting.curve)
                if record is not None:
                    record.observe(time_s, entities, np.array(scores))

    def _unscored(self, tick: Tick, state: RiskState, seen: Seen) -> Risk:
        model = self._models.of(tick.entity.org)
        return unscored(tick.entity, tick.time_s, state, model.version if model else NO_MODEL, seen)

    def _candidate(self, risk: Risk, score: float, threshold: float) -> Candidate:
        chance = "is likely to" if score >= LIKELY else "may"
        return Candidate(
            time_s=risk.time_s,
            entity=risk.entity,
            score=score,
            threshold=threshold,
            eligible=self._failures.eligible(risk.entity, risk.time_s),
            model_version=risk.model_version,
            title=f"{risk.entity.label} {chance} fail within {risk.horizon_s // 60} minutes ({percent(score)})",
            reasons=reasons(risk.contributions),
        )


def _rows(of: Sequence[Sequence[float]]) -> Floats:
    """Minutes as one array, (n, C), without what cannot have been measured."""
    return cleaned(np.array(of, dtype=np.float64).reshape(-1, len(COLUMNS), 1))[..., 0]
