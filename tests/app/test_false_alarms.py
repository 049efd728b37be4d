"""What alerts have cost, kept on disk by the analyzer."""

from pathlib import Path

import pytest
import structlog
from structlog.testing import CapturingLogger

from foregate.app.false_alarms import KEEP_EVERY_S, FalseAlarmFile
from foregate.predict.alerts import Counts

COUNTS = {"acme": (Counts("m1", 1_700_000_000.0, 3.5, (0.0, 1.0, 2.0)),)}


def file(folder: Path, log: CapturingLogger | None = None) -> FalseAlarmFile:
    return FalseAlarmFile(folder / "false-alarms.json", structlog.wrap_logger(log or CapturingLogger()))


def test_what_was_kept_is_read_again_and_nothing_is_empty(tmp_path: Path) -> None:
    assert file(tmp_path).read() == {}
    file(tmp_path).keep(COUNTS, 1_000.0)
    assert file(tmp_path).read() == COUNTS
    assert (tmp_path / "false-alarms.json").stat().st_mode & 0o077 == 0


def test_it_is_written_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    kept = file(tmp_path)
    kept.keep({}, 1_000.0)
    assert not (tmp_path / "false-alarms.json").exists()
    kept.keep(COUNTS, 1_000.0)
    kept.keep({}, 1_000.0 + 2 * KEEP_EVERY_S, at_once=True)
    newer = {"acme": (Counts("m1", 1_700_000_060.0, 4.0, (1.0, 1.0, 2.0)),)}
    kept.keep(newer, 1_000.0 + KEEP_EVERY_S - 1)
    assert file(tmp_path).read() == COUNTS
    kept.keep(newer, 1_000.0 + KEEP_EVERY_S - 1, at_once=True)
    assert file(tmp_path).read() == newer
    kept.keep(COUNTS, 10.0)  # the clock was set back
    assert file(tmp_path).read() == COUNTS


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"acme": 1}', b'[{"acme": []}]', b'{"acme": [{"model_version": "m\xff"}]}', b"\xff\xfe"]
)
def test_a_damaged_file_is_said_and_left_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "false-alarms.json").write_bytes(content)
    log = CapturingLogger()
    assert file(tmp_path, log).read() == {}
    assert ["false_alarms_damaged" in str(call.args) for call in log.calls] == [True]


def test_a_folder_that_cannot_be_written_is_an_error_and_the_next_call_tries_again(tmp_path: Path) -> None:
    away = tmp_path / "away"
    kept = FalseAlarmFile(away / "false-alarms.json", structlog.wrap_logger(CapturingLogger()))
    with pytest.raises(OSError, match="false-alarms"):
        kept.keep(COUNTS, 1_000.0)
    away.mkdir()
    kept.keep(COUNTS, 1_001.0)
    assert kept.read() == COUNTS


def test_one_damaged_organisation_does_not_spoil_the_others(tmp_path: Path) -> None:
    file(tmp_path).keep(COUNTS, 1_000.0)
    path = tmp_path / "false-alarms.json"
    path.write_bytes(path.read_bytes().replace(b"{", b'{"globex":[{"model_version":"m","time_s":null}],', 1))
    log = CapturingLogger()
    assert file(tmp_path, log).read() == COUNTS
    assert "globex" in str(log.calls)
