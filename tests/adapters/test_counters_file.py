"""The counters' file: kept when its shape is the same, made anew when it is not."""

from pathlib import Path

import pytest

from foregate.adapters.embedded.counters import open_counters


def total_after_reopening(path: Path, workers: int, slots: int, layout: str) -> float:
    handle = open_counters(path, workers, slots, 0, layout=layout)
    try:
        return handle.total(1)
    finally:
        handle.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "counters.bin"
    handle = open_counters(path, 2, 4, 1, layout="a")
    handle.add(1, 7.0)
    handle.close()
    return path


def test_numbers_stay_when_the_shape_is_the_same(path: Path) -> None:
    assert total_after_reopening(path, 2, 4, "a") == 7.0


@pytest.mark.parametrize(("workers", "slots", "layout"), [(3, 4, "a"), (2, 5, "a"), (2, 4, "b")])
def test_another_shape_or_layout_starts_at_zero(path: Path, workers: int, slots: int, layout: str) -> None:
    assert total_after_reopening(path, workers, slots, layout) == 0.0


@pytest.mark.parametrize("junk", [b"", b"short", b"x" * 128])
def test_a_damaged_file_is_made_anew(path: Path, junk: bytes) -> None:
    path.write_bytes(junk)
    assert total_after_reopening(path, 2, 4, "a") == 0.0


def test_a_process_that_holds_the_old_table_is_not_disturbed(path: Path) -> None:
    old = open_counters(path, 2, 4, 0, layout="a")
    assert total_after_reopening(path, 2, 9, "b") == 0.0
    old.add(1, 1.0)
    assert old.total(1) == 8.0
    old.close()


def test_an_outsider_reads_but_cannot_write(path: Path) -> None:
    outsider = open_counters(path, 2, 4, None, layout="a")
    assert (outsider.total(1), outsider.others(1)) == (7.0, 7.0)
    with pytest.raises(PermissionError):
        outsider.add(1, 1.0)
    outsider.close()


def test_an_outsider_makes_no_table(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no table of 2 workers"):
        open_counters(tmp_path / "none.bin", 2, 4, None)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_outside_the_table_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="worker 2 of 2"):
        open_counters(path, 2, 4, 2, layout="a")
