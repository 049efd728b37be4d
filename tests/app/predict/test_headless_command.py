"""`foregate predict headless`: where nothing can be written it says so before it runs anything."""

from pathlib import Path

import pytest
from tests.predict.making import toy_content
from typer.testing import CliRunner

from foregate.app.cli.predict import app, headless


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "toy.fgm"
    path.write_bytes(toy_content())
    return path


def test_a_result_that_could_not_be_written_is_refused_before_anything_is_run(tmp_path: Path, model: Path) -> None:
    for out in (model / "below.json", tmp_path):
        refused = CliRunner().invoke(app, ["headless", "--model", str(model), "--out", str(out), "--seeds", "1"])
        assert refused.exit_code == 2, refused.output
        assert "runs with a gradual fault" not in refused.output


def test_the_folder_of_the_result_is_made(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "not" / "yet" / "shown.json"
    monkeypatch.setattr(headless, "in_parallel", lambda work, items, jobs, label: {})
    done = CliRunner().invoke(app, ["headless", "--model", str(model), "--out", str(out), "--seeds", "1"])
    assert done.exit_code == 0, done.output
    assert out.read_text().startswith("{")
