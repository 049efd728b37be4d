"""Logs: one JSON object a line, and never a local variable."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import logging, sys
from foregate.app.logs import LogStyle, configure_logs
log = configure_logs(LogStyle(sys.argv[1], "info"), "tester")
log.info("hello", request_id="r-1")
log.debug("too quiet")
logging.getLogger("uvicorn").warning("from the standard library")
def fail(token):
    raise RuntimeError("broken")
try:
    fail("s3cret-value")
except RuntimeError:
    log.exception("failed")
"""


def lines(format: str) -> list[str]:  # noqa: A002
    run = subprocess.run([sys.executable, "-c", SCRIPT, format], capture_output=True, text=True, check=True)
    return run.stderr.splitlines()


def test_each_line_is_a_json_object_that_names_its_process() -> None:
    rows = [json.loads(line) for line in lines("json")]
    assert [row["event"] for row in rows] == ["hello", "from the standard library", "failed"]
    assert {row["process"] for row in rows} == {"tester"}
    assert rows[0]["request_id"] == "r-1"
    assert "RuntimeError: broken" in rows[2]["exception"]


@pytest.mark.parametrize("format", ["json", "console"])
def test_a_traceback_holds_no_values_of_variables(format: str) -> None:  # noqa: A002
    text = "\n".join(lines(format))
    assert "RuntimeError: broken" in text
    assert 's3cret-value"' not in text.replace('fail("s3cret-value")', "")
