"""The lab, the windows and the analyst joined without sockets, in virtual time: for training, tests and evaluation.

The windows and the features are made by the code that makes them live; nothing here computes any of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from foregate.app.signals.resources import Resources
from foregate.lab import Fault, Scenario, random_scenario, run_headless
from foregate.lab.catalogue import KINDS
from foregate.lab.gateway_settings import SETTINGS
from foregate.lab.headless.front import ENVIRONMENT, ORG
from foregate.lab.metrics import points
from foregate.lab.model.world import World
from foregate.predict import Analyst, Models, Thresholds, load_model
from foregate.predict.evaluate.demonstration import Demonstration
from foregate.predict.evaluate.system import System
from foregate.predict.failures import Failures
from foregate.telemetry.windows import Windower
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, FaultNote, row_of
from foregate.wire.window import Tick, WindowStats

TICK_S = 10
CLOSE_LAG_S = 10.0  # a minute is learned so long after its end, when its last events have surely arrived
RUN_S = 3600.0


class Moment(NamedTuple):
    """One judgement: `minutes` that closed since the last one, then the ticks at `time_s`.

    `beside`: what stands beside these minutes, as the analyzer's signals would say it.
    """

    time_s: float
    minutes: list[tuple[Entity, WindowStats]]
    ticks: list[Tick]
    beside: Mapping[Entity, Mapping[str, float]]


class _Said:
    """What the services of a world say of themselves, and how long its gateway waits for them, minute by minute.

    The services' metrics go through the code that reads those of real ones: `app.signals.resources` says what a minute
    of them comes to. They are sampled at the end of each ten seconds.
    """

    def __init__(self, epoch_s: float) -> None:
        self._epoch_s = epoch_s
        self._resources = Resources()

    def look(self, at_s: float, world: World) -> None:
        now_s = self._epoch_s + at_s
        for name, service in world.services.items():
            self._resources.learn(points(service, name, now_s, org=ORG, environment=ENVIRONMENT), now_s)

    def beside(self, minutes: Sequence[tuple[Entity, WindowStats]]) -> dict[Entity, dict[str, float]]:
        """By entity; all routes of a service have the same."""
        left = {start_s: self._resources.left(start_s) for start_s in sorted({each.start_s for _, each in minutes})}
        return {
            entity: {
                **left[stats.start_s].get((entity.org, entity.environment, entity.service), {}),
                "time_limit_ms": SETTINGS[entity.service].timeout_s * 1e3,
            }
            for entity, stats in minutes
        }


def moments(scenario: Scenario) -> Iterator[Moment]:
    """What the analyst would be given every 10 s: the minutes that closed, and the ticks."""
    windower = Windower(keep_dirty=False)
    said = _Said(scenario.epoch_s)
    for chunk, events in enumerate(run_headless(scenario, chunk_s=float(TICK_S), look=said.look), start=1):
        now_s = scenario.epoch_s + chunk * TICK_S
        windower.add(events, now_s)
        tick_s = now_s // TICK_S * TICK_S
        minutes = windower.closed_minutes(tick_s - CLOSE_LAG_S)
        yield Moment(tick_s, minutes, windower.ticks(tick_s), said.beside(minutes))


def record(name: str, scenario: Scenario) -> System:
    """One run as recorded minutes, with the faults that were in it."""
    start_s = scenario.epoch_s // 60 * 60
    closed = [
        (entity, stats, moment.beside[entity])
        for moment in moments(scenario)
        for entity, stats in moment.minutes
        if stats.start_s >= start_s
    ]
    entities = tuple(sorted({entity for entity, _, _ in closed}))
    rows = {entity: row for row, entity in enumerate(entities)}
    count = int(scenario.duration_s // 60)
    minutes = np.full((len(entities), len(COLUMNS), count), np.nan, dtype=np.float32)
    for entity, stats, beside in closed:
        at = int((stats.start_s - start_s) // 60)
        if at < count:
            minutes[rows[entity], :, at] = row_of(stats, beside)
    notes = tuple(
        FaultNote(
            f.kind, f.service, scenario.epoch_s + f.start_s, f.duration_s, f.severity, f.heals, KINDS[f.kind].benign
        )
        for f in scenario.faults
    )
    return System(name, start_s, entities, minutes, faults=notes)


def natural_scenario(seed: int) -> Scenario:
    """An hour of run `seed`: a world drawn at random; the demo's own (variation 0) is never among them."""
    rng = Random(f"foregate/train/{seed}")  # noqa: S311 - repeatable chance is wanted
    return random_scenario(rng, RUN_S, rate=rng.uniform(15.0, 40.0))


def gradual_scenario(seed: int) -> Scenario:
    """Demonstration run `seed`: a world of its own, and one gradual fault that nobody mends. Kinds take turns."""
    rng = Random(f"foregate/demonstration/{seed}")  # noqa: S311 - repeatable chance is wanted
    kinds = [name for name, kind in KINDS.items() if kind.gradual and not kind.benign]
    kind = KINDS[kinds[seed % len(kinds)]]
    fault = Fault(kind.name, rng.choice(kind.services), rng.uniform(80.0, 900.0), RUN_S, rng.uniform(0.2, 0.9))
    return Scenario(
        seed=rng.getrandbits(48),
        duration_s=fault.start_s + 1.6 * fault.reach_s + 600.0,
        rate=rng.uniform(25.0, 50.0),
        faults=(fault,),
        variation=rng.uniform(0.3, 0.9),
        epoch_s=1_700_000_000.0 + rng.randrange(7 * 86_400),
    )


def calm_scenario(seed: int) -> Scenario:
    """The world of demonstration run `seed` for an hour without its fault."""
    return replace(gradual_scenario(seed).without_faults(), duration_s=RUN_S)


def demonstrate(seed: int, *, calm: bool, model_path: Path, threshold: float | None) -> Demonstration:
    """Run the whole judgement over one headless run, as the analyzer does it live."""
    scenario = calm_scenario(seed) if calm else gradual_scenario(seed)
    return judge_run(seed, scenario, model_path, threshold)


def judge_run(seed: int, scenario: Scenario, model_path: Path, threshold: float | None) -> Demonstration:
    """See `demonstrate`. `threshold` None: the score that keeps to the default budget. Raises ModelError."""
    analyst = Analyst(Models(load_model(model_path)), Thresholds(threshold))
    alerts: dict[str, Alert] = {}
    onsets: dict[Entity, float] = {}
    failures = Failures()
    for moment in moments(scenario):
        for entity, minute in moment.minutes:
            onset_s = failures.observe(entity, minute)
            if onset_s is not None:
                onsets.setdefault(entity, onset_s)
        analyst.learn(moment.minutes, moment.beside)
        alerts |= {alert.id: alert for alert in analyst.judge(moment.ticks).alerts}
    return _summary(seed, scenario, list(alerts.values()), onsets)


def _summary(seed: int, scenario: Scenario, alerts: list[Alert], onsets: dict[Entity, float]) -> Demonstration:
    entity = min(onsets, key=lambda e: (onsets[e], e), default=None)
    onset_s = onsets[entity] if entity else None
    mine = [a for a in alerts if onset_s is not None and a.entity == entity and a.raised_s < onset_s <= _end_s(a)]
    alert = min(mine, key=lambda a: a.raised_s, default=None)
    false = [a for a in alerts if not (a.entity in onsets and onsets[a.entity] <= _end_s(a))]
    fault = scenario.faults[0] if scenario.faults else None
    return Demonstration(
        seed=seed,
        fault=fault.kind if fault else "",
        service=fault.service if fault else "",
        severity=fault.severity if fault else None,
        fault_s=fault.start_s if fault else None,
        entity=entity.label if entity else "",
        onset_s=onset_s - scenario.epoch_s if onset_s is not None else None,
        alert_s=alert.raised_s - scenario.epoch_s if alert else None,
        lead_s=onset_s - alert.raised_s if alert and onset_s is not None else None,
        alerts=len(alerts),
        false_alarms=len(false),
        reasons=alert.reasons if alert else (),
    )


def _end_s(alert: Alert) -> float:
    return alert.raised_s + alert.horizon_s
