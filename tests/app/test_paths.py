"""The data directory keeps secrets to its owner."""

import stat
from pathlib import Path

from foregate.app.paths import DataDir


def test_secret_files_are_for_their_owner_alone_and_stay_the_same(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.create()
    first = data.pepper()
    assert len(first) == 32
    assert DataDir(tmp_path / "data").pepper() == first
    assert stat.S_IMODE((data.root / "pepper").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.root.stat().st_mode) == 0o700
    assert data.console_token() == data.console_token()
