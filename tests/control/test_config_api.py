"""GET /config and POST /config/reload: what is in force at every worker, and what became of the last attempt."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.control.world import World, console, world

from foregate.control.deps import ConfigState, ReloadAttempt
from foregate.kernel.errors import ForegateError

APPLIED = ReloadAttempt("applied", 1_700_000_000.0, "file", (), ("alerts.threshold",), 4.2)
REFUSED = ReloadAttempt("refused", 1_700_000_000.0, "signal", ("a.yaml:1: x: is wrong", "a.yaml:2: y: too"), (), 1.0)


class Config:
    """What the supervisor and the workers would say."""

    def __init__(self, state: ConfigState, reload: Callable[[], ConfigState] | None = None) -> None:
        self.said = state
        self.reloaded = reload or (lambda: state)

    def state(self) -> ConfigState:
        return self.said

    def reload(self) -> ConfigState:
        return self.reloaded()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_it_names_the_version_of_every_worker_and_the_last_attempt(here: World) -> None:
    state = ConfigState("aaa", {"gateway-0": "aaa", "gateway-1": None}, APPLIED)
    with console(here.deps(config=Config(state))) as served:
        found = served.get("/config")
    assert (found["version"], found["settled"]) == ("aaa", False)
    assert found["workers"] == [
        {"worker": "gateway-0", "version": "aaa"},
        {"worker": "gateway-1", "version": None},
    ]
    assert found["last_attempt"]["outcome"] == "applied"
    assert found["last_attempt"]["later"] == ["alerts.threshold"]


def test_it_is_settled_when_every_worker_serves_by_it(here: World) -> None:
    with console(here.deps(config=Config(ConfigState("aaa", {"gateway-0": "aaa"}, None)))) as served:
        found = served.get("/config")
    assert (found["settled"], found["last_attempt"]) == (True, None)


def test_a_reload_answers_200_with_what_is_in_force_then(here: World) -> None:
    state = ConfigState("bbb", {"gateway-0": "bbb"}, APPLIED)
    with console(here.deps(config=Config(state))) as served:
        answer = served.ask("/api/v1/config/reload", "POST")
    assert (answer.status, answer.json()["version"]) == (200, "bbb")


def test_a_refused_reload_answers_422_with_every_problem(here: World) -> None:
    with console(here.deps(config=Config(ConfigState("aaa", {}, REFUSED)))) as served:
        answer = served.ask("/api/v1/config/reload", "POST")
    assert (answer.status, answer.json()["code"]) == (422, "config_refused")
    assert answer.json()["detail"].splitlines() == list(REFUSED.problems)


def test_a_reload_that_nobody_can_do_answers_409(here: World) -> None:
    def nobody() -> ConfigState:
        raise ForegateError("conflict", "Nobody reads the configuration again here.")

    with console(here.deps(config=Config(ConfigState("aaa", {}, None), nobody))) as served:
        answer = served.ask("/api/v1/config/reload", "POST")
    assert (answer.status, answer.json()["code"]) == (409, "conflict")


def test_without_a_gateway_beside_it_there_is_nothing_to_say(here: World) -> None:
    with console(here.deps()) as served:
        assert served.get("/config", 404)["code"] == "not_found"
        assert served.ask("/api/v1/config/reload", "POST").status == 404
