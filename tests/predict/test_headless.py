"""From the lab's events to verdicts: training sees exactly what serving sees, and the judgement works end to end."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from foregate.app.headless import calm_scenario, dense_scenario, gradual_scenario, judge_run, moments, natural_scenario
from foregate.lab import Fault, Scenario, run_headless
from foregate.predict import Analyst, bundled_model, bundled_path
from foregate.predict.evaluate.dataset import examples
from foregate.predict.evaluate.recording import Moment, Recording, decode_recording, encode_recording
from foregate.predict.models.card import decode_card, render
from foregate.telemetry.windows import Windower
from foregate.wire.entity import Entity

LEAK = Fault("memory_leak", "payments", 120.0, 900.0, 0.8)
WORLD = Scenario(seed=11, duration_s=1800.0, rate=15.0, variation=0.4, faults=(LEAK,))


@pytest.fixture(scope="module")
def run() -> list[Moment]:
    return list(moments(WORLD))


def test_the_features_of_a_recorded_run_are_those_of_the_live_one_to_the_bit(run: list[Moment]) -> None:
    """Zero train/serve skew: live judgement and the examples made from a stored recording agree exactly."""
    live: dict[tuple[float, Entity], list[float]] = {}
    analyst = Analyst(None, threshold=0.8)
    for moment in run:
        analyst.learn(moment.minutes)
        for sight in analyst.sights(moment.ticks):
            live[moment.time_s, sight.tick.entity] = sight.values.astype(np.float32).tolist()
        analyst.judge(moment.ticks)
    stored = Recording("r", WORLD.epoch_s, WORLD.duration_s, (), run)
    made = examples([decode_recording(encode_recording(stored))])
    entities = sorted({entity for moment in run for entity, _ in moment.minutes})
    rows = {(t, entities[s]): row.tolist() for t, s, row in zip(made.time_s, made.series, made.features, strict=True)}
    assert len(rows) > 300
    assert all(live[key] == row for key, row in rows.items())


def test_minutes_and_ticks_do_not_depend_on_how_the_events_were_cut(run: list[Moment]) -> None:
    """The analyzer gets its events in batches of another size than the lab's chunks; the verdicts must not notice."""
    events = [event for chunk in run_headless(replace(WORLD, duration_s=600.0), chunk_s=10.0) for event in chunk]
    windower = Windower(keep_dirty=False)
    now_s = WORLD.epoch_s + 600
    for start in range(0, len(events), 997):
        windower.add(events[start : start + 997], now_s)
    by_then = [minute for moment in run[:60] for minute in moment.minutes]
    again = windower.closed_minutes(run[59].time_s - 10)
    # What ended in a minute's last moments may close in the next chunk: all but the last minute must agree.
    assert again[: len(by_then) // 2] == by_then[: len(by_then) // 2]


def test_training_worlds_repeat_and_are_never_the_demo() -> None:
    for seed in range(50):
        assert natural_scenario(seed) == natural_scenario(seed)
        assert dense_scenario(seed) == dense_scenario(seed)
        assert natural_scenario(seed).variation > 0
        assert gradual_scenario(seed).faults
        assert not calm_scenario(seed).faults
    assert len({natural_scenario(seed).seed for seed in range(50)}) == 50


def test_a_gradual_fault_is_alerted_before_its_first_failing_minute() -> None:
    """End to end with the bundled model: events, windows, features, score, alert, and the reason why."""
    fault = Fault("brownout", "search", 150.0, 3600.0, 0.5)
    world = Scenario(seed=5, duration_s=900.0, rate=20.0, variation=0.4, faults=(fault,))
    shown = judge_run(5, world, bundled_path(), 0.5)
    assert shown.onset_s is not None
    assert shown.onset_s > fault.start_s
    assert shown.lead_s is not None
    assert shown.lead_s >= 120
    assert any(char.isdigit() for char in shown.reasons[0])


def test_the_bundled_model_is_the_one_that_its_card_describes() -> None:
    folder = bundled_path().parent
    card = decode_card((folder / "card.json").read_bytes())
    content = bundled_path().read_bytes()
    assert card.sha256 == sha256(content).hexdigest()
    assert card.model_version == bundled_model().version
    assert card.bytes == len(content) < 1_000_000
    assert (folder / "card.md").read_text() == render(card)


def test_the_bundled_model_beats_the_baselines_on_runs_it_had_never_seen() -> None:
    report = decode_card((bundled_path().parent / "card.json").read_bytes()).report
    assert report.model.pr_auc > max(baseline.pr_auc for baseline in report.baselines)
    assert report.model.pr_auc > 2 * report.base_rate
    assert report.brier < report.brier_base_rate
