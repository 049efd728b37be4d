"""The daily training: a process of its own, once a day whoever restarts, ended in time, and never orphaned."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from foregate.app.training.nightly import EVERY_S, FIRST_AFTER_S, Nightly
from foregate.kernel.clock import ManualClock
from foregate.kernel.limits import LEARN_S_MAX

LOG = structlog.get_logger()
WRITE = "import sys; open(sys.argv[1], 'a').write('x')"
HANG = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(60)"
TIED = """
import sys, time
from foregate.app.training.environment import step_back, tie_to_parent
step_back()
tie_to_parent()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[ManualClock, str], Nightly]]:
    made: list[Nightly] = []

    def one(clock: ManualClock, script: str) -> Nightly:
        argv = [sys.executable, "-c", script, str(tmp_path / "runs")]
        made.append(Nightly(argv, tmp_path / "models" / "begun.json", clock, LOG))
        return made[-1]

    yield one
    for each in made:
        each.close()


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text()) if (tmp_path / "runs").exists() else 0


def settle(nightly: Nightly) -> None:
    """Step until no child is left."""
    nightly.step()
    while nightly._child is not None:
        time.sleep(0.01)
        nightly.step()


def test_it_trains_once_a_day_however_often_it_is_started_again(
    make: Callable[[ManualClock, str], Nightly], tmp_path: Path
) -> None:
    clock = ManualClock()
    nightly = make(clock, WRITE)
    nightly.step()
    assert runs(tmp_path) == 0  # a start is busy enough
    clock.advance(FIRST_AFTER_S)
    settle(nightly)
    settle(nightly)
    assert runs(tmp_path) == 1
    again = make(clock, WRITE)
    clock.advance(FIRST_AFTER_S)
    settle(again)
    assert runs(tmp_path) == 1
    clock.advance(EVERY_S - FIRST_AFTER_S)
    settle(again)
    assert runs(tmp_path) == 2


def test_a_clock_that_was_set_back_or_a_damaged_note_delays_it_for_ever_not(
    make: Callable[[ManualClock, str], Nightly], tmp_path: Path
) -> None:
    clock = ManualClock()
    nightly = make(clock, WRITE)
    clock.advance(FIRST_AFTER_S)
    settle(nightly)
    clock.jump_to(clock.now() - 100 * EVERY_S)
    settle(nightly)
    assert runs(tmp_path) == 2
    (tmp_path / "models" / "begun.json").write_text("{")
    settle(nightly)
    assert runs(tmp_path) == 3


def test_one_that_does_not_end_is_ended_and_that_is_said(
    make: Callable[[ManualClock, str], Nightly], tmp_path: Path
) -> None:
    clock = ManualClock()
    nightly = make(clock, HANG)
    clock.advance(FIRST_AFTER_S)
    nightly.step()
    child = nightly._child
    assert child is not None
    clock.advance(LEARN_S_MAX)
    with capture_logs() as logs:
        nightly.step()
    assert child.poll() is not None
    assert [line["event"] for line in logs] == ["training_ended_by_force"]


def test_one_that_fails_is_said_and_closing_ends_one_that_runs(
    make: Callable[[ManualClock, str], Nightly], tmp_path: Path
) -> None:
    clock = ManualClock()
    nightly = make(clock, "raise SystemExit(3)")
    clock.advance(FIRST_AFTER_S)
    with capture_logs() as logs:
        settle(nightly)
    assert [(line["event"], line["log_level"]) for line in logs][-1] == ("training_failed", "error")
    hanging = make(clock, HANG)
    clock.advance(EVERY_S)
    hanging.step()
    child = hanging._child
    assert child is not None
    hanging.close()
    assert child.poll() is not None


def test_the_child_ends_when_whoever_started_it_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", TIED], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    assert child.poll() is None
    child.stdin.close()
    assert child.wait(10) == 3
    child.stdout.close()
