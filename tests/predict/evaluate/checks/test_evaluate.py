"""A file in, the same report out, with everything that the claim needs beside it."""

from pathlib import Path

import msgspec
import pytest
from tests.predict.evaluate.checks.history import HEADER, T0, excited, line

from foregate.predict.evaluate.checks import ChecksError, ChecksReport, evaluate, table


def written(folder: Path, lines: list[str]) -> Path:
    file = folder / "checks.csv"
    file.write_text("\n".join([HEADER, *lines]) + "\n")
    return file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("checks"), [*excited(seed=7, endpoints=2, count=12), "x"])


@pytest.fixture(scope="module")
def steps() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def report(file: Path, steps: list[tuple[int, int]]) -> ChecksReport:
    return evaluate(file, seed=4, step=lambda done, total: steps.append((done, total)))


def test_the_report_is_the_same_for_the_same_seed(file: Path, report: ChecksReport) -> None:
    again = evaluate(file, seed=4, step=lambda _, __: None)
    assert msgspec.json.encode(again) == msgspec.json.encode(report)


def test_progress_ends_at_its_total(report: ChecksReport, steps: list[tuple[int, int]]) -> None:
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert steps[-1][0] == steps[-1][1]


def test_both_horizons_stand_beside_persistence_with_intervals_by_endpoint_and_by_source(report: ChecksReport) -> None:
    assert [part.horizon_h for part in report.parts] == [6, 24]
    for part in report.parts:
        assert {"persistence", "always healthy", report.model} <= {scorer.name for scorer in part.scorers}
        assert {d.unit for d in part.differences} == {"endpoint", "source"}
        assert all(d.low <= d.high for d in part.differences)
        assert sum(source.failures for source in part.sources) == part.failures


def test_the_table_names_the_bad_line_and_every_scorer(report: ChecksReport) -> None:
    said = table(report)
    assert f"- line {report.rows + 1}: 1 columns, not enough\n" in said
    for scorer in report.parts[0].scorers:
        assert scorer.name in said


def test_too_few_sources_with_failures_are_refused(tmp_path: Path) -> None:
    calm = [line(f"s{s}", "e", T0 + 3600.0 * h) for s in range(5) for h in range(0, 72, 12)]
    with pytest.raises(ChecksError, match="0 sources have a failure"):
        evaluate(written(tmp_path, calm), seed=1, step=lambda _, __: None)
