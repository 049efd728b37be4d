"""Labelled series end to end: both layouts, the table, and what is wrong with a file."""

import json
import time
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from foregate.predict.evaluate.labelled import LabelledReport, evaluate, scorers, table
from foregate.predict.evaluate.labelled.series import read

BEGIN = datetime(2024, 1, 1)


def write(path: Path, *, labelled: bool, seed: int, label_column: bool = True, length: int = 160) -> None:
    rng = np.random.default_rng(seed)
    values = 100 + rng.normal(0, 3, length)
    values[120:126] += 80
    rows = ["TimeStamp,Value,Label" if label_column else "timestamp,value"]
    for i, value in enumerate(values):
        row = f"{BEGIN + timedelta(hours=i)},{value:.3f}"
        rows.append(f"{row},{int(labelled and 120 <= i < 126)}" if label_column else row)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_a_folder_is_judged_and_the_same_again_by_the_same_seed(tmp_path: Path) -> None:
    for i in range(3):
        write(tmp_path / "data" / "group" / f"s{i}.csv", labelled=i > 0, seed=i)
    steps: list[tuple[int, int]] = []
    report = evaluate(tmp_path, seed=1, step=lambda done, total: steps.append((done, total)))
    assert (report.series, report.without_label) == (3, 1)
    assert steps[-1] == (160, 160)
    by = {(mean.scorer, mean.part): mean.vus_pr_100 for mean in report.means}
    assert by["fused (default)", "all"] > 0.8
    assert by["fused (default)", "all"] > by["random", "all"] + 0.3
    told = table(report)
    assert told.startswith("1 of 3 series have no label and are left out. ")
    assert "| EWMA + z | " in told
    again = evaluate(tmp_path, seed=1, step=lambda done, total: None)
    assert msgspec.json.encode(again) == msgspec.json.encode(report)
    assert msgspec.json.decode(msgspec.json.encode(report), type=LabelledReport) == report


def test_windows_of_the_other_layout_label_what_lies_within(tmp_path: Path) -> None:
    write(tmp_path / "data" / "real" / "a.csv", labelled=False, seed=1, label_column=False)
    first, last = BEGIN + timedelta(hours=120), BEGIN + timedelta(hours=125)
    (tmp_path / "labels").mkdir()
    windows = {"real/a.csv": [[f"{first}.000000", f"{last}.000000"]]}
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps(windows), encoding="utf-8")
    [series] = read(tmp_path)
    assert np.flatnonzero(series.label).tolist() == list(range(120, 126))
    assert (series.name, series.group, series.step_s) == ("real/a.csv", "real", 3600)


def test_hours_that_are_missing_are_a_gap_of_as_many_steps(tmp_path: Path) -> None:
    write(tmp_path / "g" / "a.csv", labelled=True, seed=1, length=30)
    lines = (tmp_path / "g" / "a.csv").read_text().splitlines()
    (tmp_path / "g" / "a.csv").write_text("\n".join(lines[:11] + lines[14:]) + "\n", encoding="utf-8")
    [series] = read(tmp_path)
    assert series.at[8:12].tolist() == [8, 9, 13, 14]


def test_a_series_is_the_same_wherever_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Winter time gave Berlin an hour on 27 October 2024, but not the series."""
    times = [datetime(2024, 10, 26, 12) + timedelta(hours=i) for i in range(40)]
    rows = [f"{at},{i % 7}" for i, at in enumerate(times)]
    path = tmp_path / "data" / "real" / "a.csv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(["timestamp,value", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "labels").mkdir()
    windows = {"real/a.csv": [[str(times[14]), str(times[16])]]}
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps(windows), encoding="utf-8")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        [series] = read(tmp_path)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert series.at.tolist() == list(range(40))
    assert np.flatnonzero(series.label).tolist() == [14, 15, 16]


def test_series_with_more_gaps_than_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "g" / "a.csv", labelled=True, seed=1)
    monkeypatch.setattr(scorers, "CELLS_MAX", 159)
    with pytest.raises(ValueError, match=r"160 steps.*at most 159"):
        evaluate(tmp_path, seed=1, step=lambda done, total: None)


def test_where_nothing_is_left_to_choose_on_the_table_says_so(tmp_path: Path) -> None:
    write(tmp_path / "group" / "s0.csv", labelled=True, seed=1)
    assert not read(tmp_path)[0].development
    told = table(evaluate(tmp_path, seed=1, step=lambda done, total: None))
    assert "chosen on the series that they are judged on" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"TimeStamp,Value,Label\n2024-01-01,1,0\n2024-01-02,{'1' * 200_000},0\n", r"a.csv line 3: field larger"),
        ("TimeStamp,Value,Label\n2024-01-01 00:00,1,0\nyesterday,2,0\n", r"a.csv line 3: not a time"),
        ("TimeStamp,Value,Label\n2024-01-01 00:00,1,0\n", "fewer than two values"),
        ("TimeStamp,Value,Label\n2024-01-02,1,0\n2024-01-01,1,0\n", "not in the order of time"),
        ("TimeStamp,Value,Label\n2024-01-01,1,0\n2024-01-02,1,0\n", "no series has a label"),
    ],
)
def test_a_file_that_is_no_labelled_series_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=told):
        evaluate(tmp_path, seed=1, step=lambda done, total: None)


def test_a_folder_without_series_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no labelled series"):
        evaluate(tmp_path, seed=1, step=lambda done, total: None)
