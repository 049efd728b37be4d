"""Objectives in foregate.yaml: what is refused, whom they hold for, and that a change of them waits for a restart."""

from pathlib import Path

import pytest

from foregate.app.config import Config, ConfigRefused, load
from foregate.app.config.compile import compile_objectives
from foregate.app.config.restart import fixed_changes, later_changes
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime, read_runtime, write_runtime
from foregate.wire.entity import Entity
from foregate.wire.objective import Objective

HEAD = "services: {a: {targets: ['http://127.0.0.1:9001']}}\n"


def loaded(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "foregate.yaml"
    file.write_text(HEAD + text)
    return load(file, {}).config


def route(objective: str) -> str:
    return f"routes: [{{path: /x, service: a, auth: none, objective: {objective}}}]\n"


@pytest.mark.parametrize(
    ("objective", "sentence"),
    [
        ("{availability: 1.0}", "routes[0].objective.availability: should be less than 1"),
        ("{latency_ms: -1}", "routes[0].objective.latency_ms: should be greater than 0"),
        ("{latency_share: 0.9}", "routes[0].objective: promises nothing: give availability, latency_ms, or both"),
        ("{availability: 0.9, latency_share: 0.9}", "latency_share: a share of requests within what?"),
        ("{availability: 0.9, period_days: 91}", "period_days: should be less than or equal to 90"),
        ("{availabilty: 0.9}", 'did you mean "availability"?'),
        ("99.9", "routes[0].objective"),
    ],
)
def test_an_objective_that_promises_nothing_sensible_is_refused(tmp_path: Path, objective: str, sentence: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        loaded(tmp_path, route(objective))
    assert any(sentence in str(problem) for problem in refused.value.problems), refused.value.problems


def test_a_route_has_its_own_objective_and_the_others_the_default(tmp_path: Path) -> None:
    text = (
        "routes:\n"
        "  - {path: /x, service: a, auth: none, name: pay, objective: {latency_ms: 300}}\n"
        "  - {path: /y, service: a, auth: none, objective: {availability: 0.99}}\n"
        "  - {path: /z, service: a, auth: none}\n"
        "predict: {objective: {availability: 0.999, period_days: 7}}\n"
    )
    config = loaded(tmp_path, text)
    data = DataDir(tmp_path)
    write_runtime(data, Runtime("127.0.0.1", 1, "", 1, 0.8, objectives=compile_objectives(config)))
    objectives = read_runtime(data).objectives
    assert objectives.of(Entity("o", "a", "pay", "e")) == Objective(latency_ms=300.0)
    assert objectives.of(Entity("o", "a", "/y", "e")) == Objective(availability=0.99)
    assert objectives.of(Entity("o", "a", "/z", "e")) == Objective(availability=0.999, period_days=7)


def test_a_changed_objective_is_said_to_wait_for_a_restart(tmp_path: Path) -> None:
    before = loaded(tmp_path, route("{availability: 0.99}"))
    same = loaded(tmp_path, route("{availability: 0.99}"))
    after = loaded(tmp_path, route("{availability: 0.999}") + "predict: {objective: {latency_ms: 9}}\n")
    assert later_changes(before, same) == []
    assert later_changes(before, after) == [("predict", "objective"), ("routes", 0, "objective")]
    assert fixed_changes(before, after) == []
