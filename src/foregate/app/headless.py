"""The lab, the windows and the analyst joined without sockets, in virtual time: for training, tests and evaluation.

The windows and the features are made by the code that makes them live; nothing here computes any of them.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from foregate.lab import Fault, Scenario, random_scenario, run_headless
from foregate.lab.catalogue import KINDS
from foregate.predict import Analyst, load_model
from foregate.predict.evaluate.dataset import Examples, examples, spells_of
from foregate.predict.evaluate.demonstration import Demonstration
from foregate.predict.evaluate.recording import FaultNote, Moment, Recording, decode_recording, encode_recording
from foregate.predict.plan import Run
from foregate.telemetry.windows import Windower
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity

TICK_S = 10
CLOSE_LAG_S = 10.0  # a minute is learned so long after its end, when its last events have surely arrived
RUN_S = 3600.0


def moments(scenario: Scenario) -> Iterator[Moment]:
    """What the analyst would be given every 10 s: the minutes that closed, and the ticks."""
    windower = Windower(keep_dirty=False)
    for chunk, events in enumerate(run_headless(scenario, chunk_s=float(TICK_S)), start=1):
        now_s = scenario.epoch_s + chunk * TICK_S
        windower.add(events, now_s)
        tick_s = now_s // TICK_S * TICK_S
        yield Moment(tick_s, windower.closed_minutes(tick_s - CLOSE_LAG_S), windower.ticks(tick_s))


def record(name: str, scenario: Scenario) -> Recording:
    """One run as the analyst would see it, with the faults that were in it."""
    notes = tuple(
        FaultNote(
            f.kind, f.service, scenario.epoch_s + f.start_s, f.duration_s, f.severity, f.heals, KINDS[f.kind].benign
        )
        for f in scenario.faults
    )
    return Recording(name, scenario.epoch_s, scenario.duration_s, notes, list(moments(scenario)))


def natural_scenario(seed: int) -> Scenario:
    """An hour of run `seed`: a world drawn at random; the demo's own (variation 0) is never among them."""
    rng = Random(f"foregate/train/{seed}")  # noqa: S311 - repeatable chance is wanted
    return random_scenario(rng, RUN_S, rate=rng.uniform(15.0, 40.0))


def dense_scenario(seed: int) -> Scenario:
    """Like `natural_scenario`, but with two or three gradual faults in different services: for learning alone.

    An hour with one fault or none teaches little; to be judged on dense hours would flatter. More faults at once do
    harm: in a world where everything is slow for other reasons, slowness no longer tells who is about to fail.
    """
    rng = Random(f"foregate/dense/{seed}")  # noqa: S311 - repeatable chance is wanted
    kinds = [kind for kind in KINDS.values() if kind.gradual and not kind.benign]
    faults: dict[str, Fault] = {}
    for _ in range(rng.choice((2, 3))):
        kind = rng.choice(kinds)
        service = rng.choice(kind.services)
        fault = Fault(kind.name, service, rng.uniform(80.0, 1_800.0), RUN_S, rng.random())
        stretch = rng.uniform(0.3, 0.7) if rng.random() < 0.25 else rng.uniform(1.15, 1.6)
        faults[service] = replace(fault, duration_s=fault.reach_s * stretch)
    return replace(natural_scenario(seed), faults=tuple(faults.values()))


def training_examples(run: Run, folder: Path | None) -> Examples:
    """The examples of one run; its recording is kept in, or taken from, `folder` when one is given."""
    path = folder / f"{run.part}-{run.seed}.msgpack" if folder else None
    if path is not None and path.exists():
        return examples([decode_recording(path.read_bytes())])
    scenario = dense_scenario(run.seed) if run.part == "dense" else natural_scenario(run.seed)
    recording = record(f"{run.part}-{run.seed}", scenario)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_recording(recording))
    return examples([recording])


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


def demonstrate(seed: int, *, calm: bool, model_path: Path, threshold: float) -> Demonstration:
    """Run the whole judgement over one headless run, as the analyzer does it live."""
    scenario = calm_scenario(seed) if calm else gradual_scenario(seed)
    return judge_run(seed, scenario, model_path, threshold)


def judge_run(seed: int, scenario: Scenario, model_path: Path, threshold: float) -> Demonstration:
    """See `demonstrate`. Raises ModelError."""
    analyst = Analyst(load_model(model_path), threshold=threshold)
    alerts: dict[str, Alert] = {}
    bad: dict[Entity, list[float]] = {}
    for moment in moments(scenario):
        for entity, minute in moment.minutes:
            if minute.bad:
                bad.setdefault(entity, []).append(minute.start_s)
        analyst.learn(moment.minutes)
        alerts |= {alert.id: alert for alert in analyst.judge(moment.ticks).alerts}
    onsets = {entity: s.first_s for entity, starts in bad.items() for s in spells_of(starts)[:1] if s.failed}
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
