"""`foregate predict models`, `card` and `rollback` on a data directory, whoever else is alive."""

import json
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from foregate.adapters.embedded.models import EmbeddedModels
from foregate.app.cli.predict import app
from foregate.app.models.serving import promoted
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime, write_runtime
from foregate.wire.models import InForce, Learning, ModelEntry, Shift


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path)
    made.create()
    write_runtime(made, Runtime("127.0.0.1", 0, "", 1, 0.8))
    return made


def promote(data: DataDir, version: str, org: str = "shop") -> None:
    registry = EmbeddedModels(data.models)
    entry = ModelEntry(org, version, 1.0, 0.0, 1.0, "", 1, better=True, reason=f"{version} is better")
    registry.add(entry, {"model.fgm": b"abc", "card.md": f"# Model {version}".encode()})
    registry.change(org, lambda serving: promoted(serving, entry, 2.0))


def run(data: DataDir, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words, "--data-dir", str(data.root)])
    return result.exit_code, result.output


def test_models_are_listed_with_who_judges_what_was_learnt_and_whether_they_fit(data: DataDir) -> None:
    registry = EmbeddedModels(data.models)
    promote(data, "v1")
    registry.put_learning("shop", Learning(1.0, "promoted", "better than all others"))
    registry.put_shift("shop", Shift(1.0, "v1", "drifting", ("p95 moved",)))
    registry.put_in_force([InForce("shop", "f1", 1.0, "v1 is damaged: the bundled model judges instead")])
    status, text = run(data, "models")
    assert status == 0
    for expected in (
        "shop: v1 is to serve, judged by f1",
        "v1 is damaged: the bundled model judges instead",
        "promoted – better than all others",
        "v1 drifting: p95 moved",
        "v1 is better",
    ):
        assert expected in text
    (found,) = json.loads(run(data, "models", "-o", "json")[1])
    assert found["serving"]["version"] == "v1"


def test_a_rollback_needs_no_name_where_only_one_organisation_has_models(data: DataDir) -> None:
    assert run(data, "rollback") == (1, "error: there are no models of own traffic here\n")
    promote(data, "v1")
    promote(data, "v2")
    assert run(data, "rollback", "--note", "too loud")[0] == 0
    serving = EmbeddedModels(data.models).serving("shop")
    assert (serving.version, serving.changes[-1].reason, serving.changes[-1].by) == ("v1", "too loud", "cli")
    promote(data, "w1", "other")
    status, text = run(data, "rollback")
    assert (status, text) == (1, "error: name one of other, shop by --org\n")
    assert run(data, "rollback", "bundled", "--org", "other")[0] == 0
    assert run(data, "rollback", "v9", "--org", "shop")[0] == 1


def test_a_card_is_that_of_the_model_that_serves_or_of_the_one_named(data: DataDir) -> None:
    promote(data, "v1")
    promote(data, "v2")
    assert run(data, "card") == (0, "# Model v2\n")
    assert run(data, "card", "v1") == (0, "# Model v1\n")
    assert run(data, "card", "bundled")[1].startswith("# ")
    assert run(data, "card", "v9") == (1, "error: There is no model v9 of shop.\n")


def test_where_no_foregate_has_run_that_is_said(tmp_path: Path) -> None:
    for words in (("models",), ("card",), ("rollback",), ("learn",)):
        status, text = run(DataDir(tmp_path / "none"), *words)
        assert status == 2, text
        assert "no foregate has run" in text


@pytest.mark.parametrize("org", ["", "shpo"])
def test_an_organisation_without_traffic_is_no_organisation(data: DataDir, org: str) -> None:
    try:
        status, text = run(data, "learn", "--org", org)
    finally:
        structlog.reset_defaults()  # the command's logs go to a stream that is closed after it
    assert (status, f"no traffic of {org!r}" in text) == (2, True)
    assert EmbeddedModels(data.models).orgs() == []
