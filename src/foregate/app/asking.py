"""Asking the supervisor to read the configuration again, and which version every worker serves by."""

import os
import signal
from collections.abc import Callable

from foregate.adapters.embedded.blocks import open_blocks
from foregate.app.attempts import Attempt, read_attempt
from foregate.app.heartbeat import SILENT_S, Beats
from foregate.app.held import is_held
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime, read_runtime
from foregate.control.deps import ConfigState, ReloadAttempt
from foregate.gateway.layout import CONFIG_VERSION, WORKER, WORKER_CELLS
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.wire.snapshot import Snapshot

ANSWER_TIMEOUT_S = 20.0  # for the supervisor's outcome
WORKERS_TIMEOUT_S = 2.0  # for the workers to take it over; then the answer says who has not
LAGGING_TIMEOUT_S = 10.0  # for those that still serve by another version: a large one takes its time
_POLL_S = 0.005


class NobodyWatches(Exception):
    """There is no supervisor for this data directory, or it does not answer."""


def ask_reload(data: DataDir, clock: Clock, sleep: Callable[[float], None]) -> Attempt:
    """Send SIGHUP to the supervisor and wait for what it makes of it. Raises NobodyWatches."""
    before = read_attempt(data)
    if before is None or not is_held(data):
        raise NobodyWatches(f"no foregate up runs with its data in {data.root}")
    try:
        os.kill(before.pid, signal.SIGHUP)
    except OSError as error:
        raise NobodyWatches(f"the supervisor cannot be asked: {error.strerror}") from error
    until_s = clock.monotonic() + ANSWER_TIMEOUT_S
    while clock.monotonic() < until_s:
        now = read_attempt(data)
        if now is not None and now.pid == before.pid and now.signals > before.signals:
            return now
        sleep(_POLL_S)
    raise NobodyWatches(f"the supervisor has not answered within {ANSWER_TIMEOUT_S:g} s")


def worker_versions(data: DataDir, workers: int, now_s: float) -> dict[str, str | None]:
    """Worker → the version it serves by, at monotonic `now_s`.

    None before it has served, when an extension is missing at it, and while it gives no sign of life.
    """
    beats = Beats(data, workers)
    try:
        last_s = [beat_s or 0.0 for beat_s in beats.last_s()]
        blocks = open_blocks(data.counters, workers, None)
    except OSError:
        return {}
    finally:
        beats.close()
    (block,) = blocks.claim([(WORKER, WORKER_CELLS)])
    numbers = block.each(CONFIG_VERSION)
    blocks.close()
    return {
        f"gateway-{worker}": f"{int(number):012x}" if number > 0 and 0.0 <= now_s - beat_s <= SILENT_S else None
        for worker, (number, beat_s) in enumerate(zip(numbers, last_s, strict=False))
    }


def lagging(data: DataDir, version: str, clock: Clock, sleep: Callable[[float], None]) -> dict[str, str | None]:
    """The workers that do not serve by `version` even after a while, with what they serve by instead.

    Raises OSError when nobody knows how many there are.
    """
    workers = read_runtime(data).workers
    began_s = clock.monotonic()
    while True:
        now_s = clock.monotonic()
        late = {name: each for name, each in worker_versions(data, workers, now_s).items() if each != version}
        waited_s = now_s - began_s
        enough_s = LAGGING_TIMEOUT_S if any(late.values()) else WORKERS_TIMEOUT_S
        if not late or waited_s >= enough_s:
            return late
        sleep(_POLL_S)


class SupervisorConfig:
    """What the console knows of the configuration, by the files that the supervisor and the workers keep."""

    def __init__(
        self,
        data: DataDir,
        runtime: Runtime,
        snapshot: Callable[[], Snapshot],
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        self._data = data
        self._runtime = runtime
        self._snapshot = snapshot
        self._clock = clock
        self._sleep = sleep

    def state(self) -> ConfigState:
        attempt = read_attempt(self._data)
        said = None
        if attempt is not None:
            said = ReloadAttempt(
                attempt.outcome, attempt.at_s, attempt.by, attempt.problems, attempt.later, attempt.took_ms
            )
        return ConfigState(
            self._snapshot().version, worker_versions(self._data, self._runtime.workers, self._clock.monotonic()), said
        )

    def reload(self) -> ConfigState:
        try:
            ask_reload(self._data, self._clock, self._sleep)
        except NobodyWatches as error:
            raise ForegateError("conflict", f"Nobody reads the configuration again here: {error}.") from error
        until_s = self._clock.monotonic() + WORKERS_TIMEOUT_S
        while True:
            state = self.state()
            if all(version == state.version for version in state.workers.values()):
                return state
            if self._clock.monotonic() >= until_s:
                return state
            self._sleep(_POLL_S)
