"""`foregate predict train`: what it refuses before it works for an hour."""

from pathlib import Path

from typer.testing import CliRunner

from foregate.app.cli.predict import app

RUN = CliRunner()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_learned(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    refused = RUN.invoke(app, ["train", "--out", str(taken)])
    assert refused.exit_code == 2, refused.output
    refused = RUN.invoke(app, ["train", "--out", str(taken / "below")])
    assert refused.exit_code == 3, refused.output
    assert refused.stderr.startswith("foregate predict train: ")
