"""`foregate predict generate`: worlds of the lab as a recording that can be read again."""

from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from foregate.adapters.embedded.recorded import read_recorded
from foregate.app.cli.predict import app
from foregate.lab.minutes import world

RUN = CliRunner()


def test_what_is_written_is_what_is_generated(tmp_path: Path):
    asked = ["--part", "validation", "--worlds", "1", "--days", "0.02", "--seed", "4", "--jobs", "1"]
    done = RUN.invoke(app, ["generate", *asked, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    (read,) = read_recorded([tmp_path / "validation-4.parquet"])
    made = world("validation", 0, seed=4, days=0.02)
    rows = {entity: place for place, entity in enumerate(read.entities)}
    assert set(rows) == set(made.entities)
    np.testing.assert_array_equal(read.minutes[[rows[one] for one in made.entities]], made.minutes)
    assert read.calls == made.calls


def test_a_part_that_does_not_exist_is_named(tmp_path: Path):
    done = RUN.invoke(app, ["generate", "--part", "nothing", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "train, validation, unseen, shifted, seldom" in done.output
