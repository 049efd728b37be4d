"""Nothing is imported from the folder that foregate happens to be started in: not by a check, not by its processes."""

import subprocess
import sys
from pathlib import Path

from foregate.app.config import load
from foregate.app.launch import Launch, child_specs
from foregate.app.logs import LogStyle
from foregate.app.paths import DataDir


def test_a_check_does_not_import_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "foregate.yaml").write_text("org: here\n")
    (tmp_path / "yaml.py").write_text("raise SystemExit('imported from the present folder')\n")
    command = [sys.executable, "-m", "foregate.app.cli", "config", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stdout


def test_a_process_that_is_started_does_not_either(tmp_path: Path) -> None:
    (tmp_path / "structlog.py").write_text("raise SystemExit('imported from the present folder')\n")
    launch = Launch(load(None, {}), DataDir(tmp_path / "data"), 1, LogStyle("json", "info"), {})
    for spec in child_specs(launch):
        python = spec.argv[: spec.argv.index("-m")]
        ask = (*python, "-c", "import structlog")
        subprocess.run(ask, cwd=tmp_path, check=True, timeout=60)
