"""The data directory keeps secrets to its owner."""

import errno
import stat
from pathlib import Path

import pytest

from foregate.app.paths import DataDir, located


def test_secret_files_are_for_their_owner_alone_and_stay_the_same(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.create()
    first = data.pepper()
    assert len(first) == 32
    assert DataDir(tmp_path / "data").pepper() == first
    assert stat.S_IMODE((data.root / "pepper").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.root.stat().st_mode) == 0o700
    assert data.console_token() == data.console_token()


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_an_empty_secret_file_is_refused_instead_of_opening_the_door(tmp_path: Path, content: str) -> None:
    data = DataDir(tmp_path)
    (tmp_path / "console.token").write_text(content)
    (tmp_path / "pepper").write_text(content)
    with pytest.raises(OSError, match=r"console\.token holds no secret"):
        data.console_token()
    with pytest.raises(OSError, match="pepper holds no secret"):
        data.pepper()


def test_a_damaged_pepper_is_named(tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text("z" * 64)
    with pytest.raises(OSError, match="pepper is damaged"):
        DataDir(tmp_path).pepper()


def test_an_error_without_a_path_is_given_the_one_it_is_about(tmp_path: Path) -> None:
    error = located(OSError(errno.ENOSPC, "No space left on device"), tmp_path / "x")
    assert str(error) == f"[Errno {errno.ENOSPC}] No space left on device (free some there): '{tmp_path / 'x'}'"
    assert isinstance(located(FileNotFoundError(errno.ENOENT, "gone", "y"), tmp_path / "x"), FileNotFoundError)
