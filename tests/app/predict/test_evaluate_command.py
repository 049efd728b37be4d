"""`foregate predict evaluate`: exit status, files and sentences, as somebody at a terminal meets them."""

import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.predict.evaluate.making import noisy
from typer.testing import CliRunner, Result

from foregate.adapters.embedded.recorded import read_recorded, write_recorded
from foregate.app import evaluation
from foregate.app.cli.predict import app
from foregate.predict.evaluate.contenders import Contender
from foregate.predict.evaluate.results import Report
from foregate.predict.evaluate.system import System
from foregate.wire.minutes import COLUMNS

DOC = Path(__file__).parents[3] / "docs/reference/recorded-telemetry.md"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv.gz"
    write_recorded(path, [noisy(name, seed, entities=2, minutes=500, share=1.0) for seed, name in enumerate("ab")])
    return path


def test_a_recording_is_judged_and_everything_is_written_twice_the_same(recording: Path, tmp_path: Path) -> None:
    written = []
    for name, plots in (("1", ()), ("2", ("--no-plots",))):
        result = run(
            "recorded", recording, "--no-model", "--horizon", 15, "--out", tmp_path / name, "--seed", 4, *plots
        )
        assert result.exit_code == 0, result.output
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[1] == {name: content for name, content in written[0].items() if name.startswith("report")}
    assert set(written[0]) == {
        "report.json", "report.md",
        *(f"{name}.{kind}" for name in ("reliability", "precision-recall", "alarms") for kind in ("svg", "png")),
    }  # fmt: skip
    report = msgspec.json.decode(written[0]["report.json"], type=Report)
    assert (report.seed, [h.horizon_s for h in report.horizons]) == (4, [900])
    assert len(report.horizons[0].parts[0].scorers) == 11
    assert b"<svg" in written[0]["alarms.svg"]
    assert "| logistic regression |" in written[0]["report.md"].decode()


def test_json_is_printed_alone_and_thresholds_come_from_what_is_learned_from(recording: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked.parquet"
    write_recorded(asked, [noisy("c", 5, entities=2, minutes=300)])
    twice = ("--horizon", 5, "--horizon", 5)
    result = run("recorded", asked, "--no-model", *twice, "-o", "json", "--no-plots", "--learn", recording)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["thresholds"] == "thresholds were chosen on 1 other system"
    [horizon] = told["horizons"]  # asked for twice, answered once
    assert len(horizon["parts"][0]["scorers"]) == 11


def test_what_is_judged_may_not_be_learned_from(recording: Path) -> None:
    result = run("recorded", recording, "--no-model", "--learn", recording)
    assert (result.exit_code, "system a is to be judged" in result.stderr) == (2, True), result.output


def test_a_recording_without_failures_is_judged_without_what_must_learn(tmp_path: Path) -> None:
    write_recorded(tmp_path / "calm.parquet", [noisy("calm", 1, entities=1, minutes=100)])
    result = run("recorded", tmp_path / "calm.parquet", "--no-model", "--horizon", 15)
    assert result.exit_code == 0, result.output
    assert (
        "no logistic regression and no XGBoost beside it: what is to be learned from holds no failure" in result.stdout
    )


def test_bad_input_is_a_sentence_and_status_2(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("system,time\n")
    for path, sentence in ((bad, "has no column org"), (tmp_path / "none.csv", "none.csv")):
        result = run("recorded", path, "--no-model")
        assert (result.exit_code, sentence in result.stderr) == (2, True), result.output


def test_a_score_that_looks_ahead_is_refused_with_status_3(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cheat(of: System) -> np.ndarray:
        return np.pad(of.of("p95_ms")[:, 1:].astype(np.float64), ((0, 0), (0, 1)))

    monkeypatch.setattr(evaluation, "simple_contenders", lambda: [Contender("cheat", cheat)])
    result = run("recorded", recording, "--no-model", "--horizon", 15)
    assert (result.exit_code, "cheat looks ahead" in result.stderr) == (3, True), result.output


@pytest.mark.parametrize(("missing", "sentence"), [("sklearn", "scikit-learn"), ("matplotlib", "--no-plots")])
def test_a_missing_extra_is_named_before_anything_is_computed(
    missing: str, sentence: str, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foregate.app.cli.predict.evaluate.options.find_spec", lambda name: name != missing or None)
    result = run("recorded", recording, "--no-model", "--out", tmp_path / "out")
    assert (result.exit_code, sentence in result.stderr, 'pip install "foregate[train]"' in result.stderr) == (
        2,
        True,
        True,
    )


def test_worlds_of_the_lab_are_judged_on_every_part_that_nothing_was_learned_from() -> None:
    result = run("lab", "--worlds", 2, "--days", 0.2, "--no-model", "--horizon", 15, "--jobs", 1)
    assert result.exit_code == 0, result.output
    judged = re.findall(r"^## (\w+), horizon 15 min", result.stdout, re.MULTILINE)
    assert judged == ["unseen", "shifted", "seldom"]


def test_the_page_names_every_column_and_its_example_is_read(tmp_path: Path) -> None:
    page = DOC.read_text(encoding="utf-8")
    assert not [name for name in COLUMNS if f"`{name}`" not in page]
    example = re.search(r"```csv\n(.*?)```", page, re.DOTALL)
    assert example is not None
    (tmp_path / "a.csv").write_text(example[1])
    (system,) = read_recorded([tmp_path / "a.csv"])
    assert (system.name, len(system.entities), system.minutes.shape[2]) == ("shop-eu", 2, 2)


@pytest.mark.parametrize("source", ["checks", "labelled"])
def test_the_other_sources_refuse_what_is_not_theirs_with_status_2(source: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("this,that\n1,2\n")
    result = run(source, tmp_path / "a.csv" if source == "checks" else tmp_path)
    assert (result.exit_code, result.stderr.count("foregate predict evaluate: ")) == (2, 1), result.output
    assert "Traceback" not in result.output
