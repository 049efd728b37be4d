"""Nobody serves beside somebody else as the same worker: both would write the same shared numbers."""

import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from foregate.app.cli.serve import register
from foregate.app.held import InUse, hold_part, is_held
from foregate.app.launch import owned
from foregate.app.paths import DataDir


def serve(data: Path) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["--role", "gateway", "--data-dir", str(data)])


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.create()
    return made


def test_a_role_beside_a_running_foregate_up_is_refused(data: DataDir) -> None:
    assert not is_held(data)
    with owned(data):
        assert is_held(data)
        with pytest.raises(InUse, match="has its own gateway"):
            hold_part(data, "gateway", 0)
        done = serve(data.root)
        assert done.exit_code == 2
        assert "a foregate up runs with its data in" in done.output
    os.close(hold_part(data, "gateway", 0))


def test_the_same_worker_is_refused_another_one_is_not(data: DataDir) -> None:
    holding = hold_part(data, "gateway", 0)
    with pytest.raises(InUse, match="another foregate serve is gateway-0"):
        hold_part(data, "gateway", 0)
    os.close(hold_part(data, "gateway", 1))
    os.close(hold_part(data, "courier", 0))
    os.close(holding)
    os.close(hold_part(data, "gateway", 0))


def test_a_directory_that_nobody_has_prepared_is_refused_in_words(tmp_path: Path) -> None:
    done = serve(tmp_path / "none")
    assert done.exit_code == 3
    assert "no directory that foregate up has prepared" in done.output
