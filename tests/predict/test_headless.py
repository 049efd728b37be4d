"""The lab without sockets: what the analyst says of a run, and what the bundled model's card says of it."""

from dataclasses import replace
from hashlib import sha256

import numpy as np

from foregate.app.headless import calm_scenario, gradual_scenario, judge_run, moments, natural_scenario, record
from foregate.lab import Fault, Scenario, run_headless
from foregate.predict import bundled_path, load_model
from foregate.predict.evaluate.system import COLUMN
from foregate.predict.failures import HORIZON_S
from foregate.predict.models.card import decode_card, render
from foregate.predict.registry.shift import decode_reference
from foregate.telemetry.windows import Windower

WORLD = Scenario(
    seed=11, duration_s=900.0, rate=12.0, variation=0.5, faults=(Fault("brownout", "users", 120.0, 700.0, 0.9),)
)


def test_a_recorded_run_holds_the_minutes_that_closed() -> None:
    system = record("r", WORLD)
    assert system.minutes.shape[2] == 15
    requests = system.of("requests")
    assert 0.7 * 12 * 60 < np.nansum(requests[:, 2]) < 1.4 * 12 * 60
    assert system.faults[0].kind == "brownout"
    assert np.nanmax(system.minutes[:, COLUMN["p95_ms"]]) > 0


def test_a_recorded_run_holds_what_its_services_say_of_their_resources() -> None:
    """Each leak takes what it leaks from its own service, and the gateway's limit stands beside it."""
    faults = (Fault("memory_leak", "payments", 60.0, 600.0, 1.0), Fault("pool_exhaustion", "users", 60.0, 600.0, 1.0))
    system = record("r", Scenario(seed=11, duration_s=480.0, rate=8.0, faults=faults))
    rows = {entity.route: row for row, entity in enumerate(system.entities)}
    memory, connections = system.of("memory_left"), system.of("connections_left")
    leaking, exhausted, other = rows["/payments"], rows["/users"], rows["/search"]
    assert memory[leaking, 0] > 0.5 > 0.05 > np.min(memory[leaking]) >= 0.0
    assert connections[exhausted, 0] > 0.8 > 0.05 > connections[exhausted, -1] >= 0.0
    assert np.all(memory[[exhausted, other]] > 0.5)
    assert np.all(connections[[leaking, other]] > 0.5)
    workers = system.of("workers_left")[[leaking, exhausted, other]]
    assert np.all((workers >= 0.0) & (workers <= 1.0))
    assert np.any(workers < 0.9)
    assert {route: system.of("time_limit_ms")[row, 0] for route, row in rows.items()} == {
        "/payments": 3_000.0, "/search": 2_000.0, "/partner": 2_000.0, "/users": 2_000.0, "/orders": 5_000.0,
        "/ai": 15_000.0, "/ai/chat": 15_000.0,
    }  # fmt: skip


def test_minutes_and_ticks_do_not_depend_on_how_the_events_were_cut() -> None:
    """The analyzer gets its events in batches of another size than the lab's chunks; the verdicts must not notice."""
    run = list(moments(replace(WORLD, duration_s=600.0)))
    events = [event for chunk in run_headless(replace(WORLD, duration_s=600.0), chunk_s=10.0) for event in chunk]
    windower = Windower(keep_dirty=False)
    now_s = WORLD.epoch_s + 600
    for start in range(0, len(events), 997):
        windower.add(events[start : start + 997], now_s)
    by_then = [minute for moment in run[:60] for minute in moment.minutes]
    again = windower.closed_minutes(run[59].time_s - 10)
    # What ended in a minute's last moments may close in the next chunk: all but the last minute must agree.
    assert again[: len(by_then) // 2] == by_then[: len(by_then) // 2]


def test_worlds_repeat_and_are_never_the_demo() -> None:
    for seed in range(50):
        assert natural_scenario(seed) == natural_scenario(seed)
        assert natural_scenario(seed).variation > 0
        assert gradual_scenario(seed).faults
        assert not calm_scenario(seed).faults
    assert len({natural_scenario(seed).seed for seed in range(50)}) == 50


def test_a_gradual_fault_is_alerted_before_its_first_failing_minute() -> None:
    """End to end with the bundled model: events, windows, features, score, alert, and the reason why."""
    fault = Fault("brownout", "search", 150.0, 3600.0, 0.5)
    world = Scenario(seed=5, duration_s=900.0, rate=20.0, variation=0.4, faults=(fault,))
    shown = judge_run(5, world, bundled_path(), None)
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
    assert card.model_version == load_model(bundled_path()).version
    assert card.bytes == len(content) < 2_500_000
    assert (folder / "card.md").read_text() == render(card)
    assert decode_reference((folder / "reference.json").read_bytes()).features == card.features


def test_the_bundled_model_beats_every_baseline_on_systems_it_had_never_seen() -> None:
    report = decode_card((bundled_path().parent / "card.json").read_bytes()).report
    [alerting] = [h for h in report.horizons if h.horizon_s == HORIZON_S]
    for part in alerting.parts:
        model = next(s for s in part.scorers if not s.baseline)
        assert model.pr_auc > max(s.pr_auc for s in part.scorers if s.baseline)
        assert model.brier is not None
        assert model.brier_base is not None
        assert model.brier < model.brier_base
