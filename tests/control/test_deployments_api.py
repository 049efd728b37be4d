"""GET and POST /deployments on the real store: what is said, what is refused, what is listed."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.control.world import NOW_S, Answer, Console, console, world

from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.app.deployment_desk import DeploymentDesk
from foregate.wire.change import Change


class Served:
    def __init__(self, store: EmbeddedChanges, asked: Console) -> None:
        self.store, self.console = store, asked

    def post(self, **said: object) -> Answer:
        headers = {"Content-Type": "application/json"}
        return self.console.ask("/api/v1/deployments", "POST", headers=headers, body=msgspec.json.encode(said))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("deployments")
    with world(folder) as made, closing(EmbeddedChanges(folder / "changes.sqlite")) as store:
        deps = made.deps(deployments=DeploymentDesk(store, made.clock, made.deps().snapshot))
        with console(deps) as asked:
            yield Served(store, asked)


def test_a_deployment_that_was_said_is_listed_with_the_changes_that_were_found(here: Served) -> None:
    found = Change(
        "chg_1", NOW_S - 60.0, "configuration", "default", "production", routes=("/pay",), by="configuration"
    )
    here.store.put([found])
    answer = here.post(service="payments", version="1.4.2", note="run 77")
    made = answer.json()
    assert (answer.status, made["kind"], made["services"], made["time_s"]) == (201, "deployment", ["payments"], NOW_S)
    assert here.post(service="payments", version="1.4.2").json()["id"] == made["id"]
    listed = here.console.get("/deployments")["deployments"]
    assert [(one["kind"], one["version"], one["routes"], one["by"]) for one in listed] == [
        ("deployment", "1.4.2", [], "console"),
        ("configuration", "", ["/pay"], "configuration"),
    ]
    assert [one["id"] for one in here.console.get(f"/deployments?before={NOW_S}")["deployments"]] == ["chg_1"]
    assert len(here.console.get("/deployments?limit=1")["deployments"]) == 1


@pytest.mark.parametrize(
    "said",
    [{}, {"service": ""}, {"service": "a\n"}, {"service": "a", "version": "v" * 201}, {"service": "a", "surely": 1}],
)
def test_what_is_no_deployment_is_refused(here: Served, said: dict[str, object]) -> None:
    answer = here.post(**said)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_parameter")


def test_without_a_gateway_there_are_none(tmp_path: Path) -> None:
    with world(tmp_path) as made, console(made.deps()) as asked:
        assert asked.get("/deployments", status=404)["code"] == "not_found"
