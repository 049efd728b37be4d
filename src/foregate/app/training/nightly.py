"""Once a day a training on own traffic, in a process of its own at the lowest priority: never in one that serves."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from foregate.app.paths import DataDir, write_private
from foregate.kernel.clock import Clock
from foregate.kernel.limits import LEARN_S_MAX

EVERY_S: Final = 86_400.0
FIRST_AFTER_S: Final = 900.0  # of running: a start is busy enough, and one that crashes must not train each time


class _Begun(msgspec.Struct):
    at_s: float


class Nightly:
    """A `Keeping`. Starts `argv` when a day has passed since the last time, whoever started it then, and ends it after
    `LEARN_S_MAX`. The child's standard input is a pipe to us: it ends when we are gone."""

    def __init__(
        self,
        argv: Sequence[str],
        begun: Path,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._argv = argv
        self._begun = begun
        self._clock = clock
        self._log = log
        self._not_before_s = clock.monotonic() + FIRST_AFTER_S
        self._child: subprocess.Popen[bytes] | None = None
        self._until_s = 0.0

    def step(self) -> int:
        """Look after the child, or start one. Returns 0: nothing is to be done at once again. Raises OSError."""
        if self._child is not None:
            self._look_after(self._child)
        elif self._clock.monotonic() >= self._not_before_s and self._is_due(self._clock.now()):
            self._start()
        return 0

    def close(self) -> None:
        """End the child: what it has not finished it does another day."""
        if self._child is not None:
            self._end(self._child)

    def _is_due(self, now_s: float) -> bool:
        try:
            begun = msgspec.json.decode(self._begun.read_bytes(), type=_Begun)
        except (FileNotFoundError, msgspec.DecodeError):
            return True
        return not begun.at_s <= now_s < begun.at_s + EVERY_S  # a clock that was set back counts as a day

    def _start(self) -> None:
        self._begun.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Before it begins: a machine that is brought down by it must not be brought down again at once.
        write_private(self._begun, msgspec.json.encode(_Begun(self._clock.now())).decode())
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._until_s = self._clock.monotonic() + LEARN_S_MAX
        self._log.info("training_began", pid=self._child.pid)

    def _look_after(self, child: subprocess.Popen[bytes]) -> None:
        status = child.poll()
        if status is None and self._clock.monotonic() < self._until_s:
            return
        if status is None:
            self._end(child)
            self._log.error("training_ended_by_force", after_s=LEARN_S_MAX)
        elif status in (0, 1):  # 1: somebody else was training, or there was nothing to be promoted
            self._log.info("training_ended", exit=status)
        else:
            self._log.error("training_failed", exit=status, see="the log of the learner")
        self._forget(child)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)  # nothing it writes can be left half done
            child.wait()
        self._forget(child)

    def _forget(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is not None:
            child.stdin.close()
        self._child = None


def nightly(data: DataDir, clock: Clock, log: structlog.typing.FilteringBoundLogger) -> Nightly:
    """That of a data directory."""
    argv = [sys.executable, "-P", "-m", "foregate.app.cli", "predict", "learn", "--data-dir", str(data.root), "--tied"]
    return Nightly(argv, data.models / "begun.json", clock, log)
