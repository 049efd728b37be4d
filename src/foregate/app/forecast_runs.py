"""The keeper's loop that starts the forecaster now and then, and ends it when it takes too long."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import structlog

from foregate.app.roles.options import RoleOptions
from foregate.kernel.clock import Clock
from foregate.kernel.limits import FORECAST_RUN_S_MAX

FIRST_AFTER_S = 60.0
EVERY_S = 900.0
END_TIMEOUT_S = 5.0  # to end when asked to; then it is killed


def forecaster(options: RoleOptions) -> Sequence[str]:
    """The command line of a forecaster of the same data directory."""
    argv = replace(options, role="forecaster", worker=0, supervised=True, sockets=()).argv()
    # -P: nothing is imported from the folder that we happen to be started in.
    return (sys.executable, "-P", "-m", "foregate.app.roles", *argv)


class ForecastRuns:
    """Keeps `app.keeping.Keeping`. One run at a time, in a process of its own with the lowest priority."""

    def __init__(self, argv: Sequence[str], clock: Clock, log: structlog.typing.FilteringBoundLogger) -> None:
        self._argv = argv
        self._clock = clock
        self._log = log
        self._next_s = clock.monotonic() + FIRST_AFTER_S
        self._began_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def step(self) -> int:
        """Raises OSError when a process cannot be started; it is tried again at the next turn."""
        now_s = self._clock.monotonic()
        if self._process is not None:
            self._follow(self._process, now_s)
        elif now_s >= self._next_s:
            self._next_s = now_s + EVERY_S
            self._began_s = now_s
            # Our own module by its own interpreter; it leaves when this pipe to its standard input closes.
            self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE)  # noqa: S603
        return 0

    def _follow(self, process: "subprocess.Popen[bytes]", now_s: float) -> None:
        status = process.poll()
        if status is not None:
            if status != 0:
                self._log.warning("forecaster_failed", exit=status, again_in_s=round(self._next_s - now_s))
            self._end(process)
        elif now_s - self._began_s > FORECAST_RUN_S_MAX:
            self._log.error("forecaster_took_too_long", after_s=FORECAST_RUN_S_MAX, effect="what it made stands")
            self._end(process)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = None
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End a run that is under way."""
        if self._process is not None:
            self._end(self._process)
