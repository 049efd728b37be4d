"""Reloading without loss: a changed file, a signal or the API make a new snapshot, which the workers take over.

Runs in the supervisor. A configuration that cannot be used changes nothing: each problem is logged and kept in
reload.json until the next attempt.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import structlog

from foregate.app.attempts import Attempt, Cause, Outcome, write_attempt
from foregate.app.config import ConfigRefused, Loaded, load
from foregate.app.config.compile import compile_ingest, named_files
from foregate.app.config.problems import dotted
from foregate.app.config.restart import SENTENCE, fixed_changes, later_changes
from foregate.app.config.verify import verified
from foregate.app.kept_files import forget_others, with_kept_files
from foregate.app.paths import DataDir, write_private
from foregate.app.runtime import write_ingest
from foregate.app.watch import Settled, Stamp, stamp, written_now
from foregate.kernel.clock import Clock
from foregate.wire.snapshot import Snapshot, encode_snapshot

LOOK_S = 0.012  # between two looks at the configuration file: another file in its place is seen after one or two
RETRY_S = 3.0  # after a failure of our own files (a full disk): the configuration itself may be good
NEVER_S = float("inf")
NAMED_FILES_EVERY = 20  # looks between those at the files that it names
NAMED_FILES_MAX = 4_096  # watched; those beyond are read again when anything else changes
READS_MAX = 5  # of a file that changes while it is read; then the last one counts, and the next look finds the change


@dataclass(frozen=True)
class Source:
    """Where the configuration comes from: the file (None: there is none to watch) and the environment at the start."""

    file: Path | None
    environ: Mapping[str, str]


def store(data: DataDir, snapshot: Snapshot) -> None:
    """Put it where the workers find it, with the TLS files that it names. Raises OSError or ConfigRefused."""
    snapshot = with_kept_files(data, snapshot)
    write_private(data.snapshot, encode_snapshot(snapshot).decode(), durable=False)  # made anew at each start
    forget_others(data, snapshot)


class Reloader:
    """`loaded` and `version` are in force. `nudge` tells the workers that there is a new snapshot."""

    def __init__(
        self,
        source: Source,
        loaded: Loaded,
        version: str,
        data: DataDir,
        *,
        nudge: Callable[[], None],
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._source = source
        self._loaded = loaded
        self._first = loaded.config  # what the processes were started with
        self._version = version
        self._data = data
        self._nudge = nudge
        self._clock = clock
        self._log = log
        self._signals = self._answered = 0
        self._number = 0
        self._retry_s = NEVER_S
        self._said: tuple[str, ...] = ()
        self._looks = count()
        self._files = _named(loaded)
        self._settled = Settled(_stamps([*self._own, *self._files]), written_now)
        self._report(Attempt("started", version, clock.now(), "start", os.getpid()))

    def asked(self) -> None:
        """Somebody wants the configuration read again (SIGHUP)."""
        self._signals += 1

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._signals != self._answered:
                await self._attempt("signal")
            elif self._settled.look(_stamps(self._watched()), self._clock.monotonic()):
                await self._attempt("file")
            elif self._clock.monotonic() >= self._retry_s:
                await self._attempt("file", again=True)

    @property
    def _own(self) -> Sequence[Path]:
        return [] if self._source.file is None else [self._source.file]

    def _watched(self) -> Sequence[Path]:
        """The files to look at this time."""
        often = next(self._looks) % NAMED_FILES_EVERY and not self._settled.moving
        return self._own if often else [*self._own, *self._files]

    async def _attempt(self, by: Cause, again: bool = False) -> None:
        """Read, validate and compile off the loop; put it in force, or say why not (`again`: unless it is known)."""
        began_s, signals = self._clock.monotonic(), self._signals
        problems: tuple[str, ...] = ()
        later: tuple[str, ...] = ()
        outcome: Outcome = "refused"
        again_s = NEVER_S
        try:
            loaded, snapshot = await asyncio.to_thread(self._read)
            later = tuple(dotted(path) for path in later_changes(self._first, loaded.config))
            keys, before = loaded.config.telemetry.ingest_keys, self._loaded.config.telemetry.ingest_keys
            outcome = "unchanged" if snapshot.version == self._version and keys == before else "applied"
            self._loaded, self._version = loaded, snapshot.version
            self._nudge()
        except ConfigRefused as refused:
            problems = tuple(str(problem) for problem in refused.problems)
        except OSError as error:  # of our own files
            problems = (f"{error.filename or self._data.root}: {error.strerror or error}",)
            again_s = self._clock.monotonic() + RETRY_S
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not end reloading
            self._log.exception("reload_failed")
            problems = (f"foregate itself failed: {error!r}",)
        self._retry_s = again_s
        self._answered = signals
        if again and problems == self._said:
            return
        self._said = problems
        self._number += 1
        took_ms = round((self._clock.monotonic() - began_s) * 1000.0, 1)
        self._report(
            Attempt(
                outcome,
                self._version,
                self._clock.now(),
                by,
                os.getpid(),
                problems,
                later,
                signals,
                took_ms,
                self._number,
            )
        )

    def _read(self) -> tuple[Loaded, Snapshot]:
        """In a thread: the configuration, compiled and stored. Raises ConfigRefused or OSError."""
        for _ in range(READS_MAX):
            seen = _stamps(self._own)
            loaded = load(self._source.file, self._source.environ)
            if _stamps(self._own) == seen:
                break
        self._files = tuple({*self._files, *_named(loaded)})[:NAMED_FILES_MAX]
        self._settled.know(_stamps(self._files))
        fixed = fixed_changes(self._first, loaded.config)
        if fixed:
            raise ConfigRefused(loaded.problem(path, SENTENCE) for path in fixed)
        snapshot = verified(loaded, self._data.pepper())
        self._files = _named(loaded)
        store(self._data, snapshot)
        write_ingest(self._data, compile_ingest(loaded.config, self._data.pepper()))
        return loaded, snapshot

    def _report(self, attempt: Attempt) -> None:
        """Say it in the log and in reload.json."""
        for problem in attempt.problems:
            self._log.error("configuration_problem", problem=problem)
        if attempt.outcome == "refused":
            self._log.error("configuration_refused", kept=attempt.version, by=attempt.by)
        elif attempt.outcome != "started":
            facts = {"snapshot": attempt.version, "by": attempt.by, "took_ms": attempt.took_ms}
            self._log.info(f"configuration_{attempt.outcome}", **facts)
        if attempt.later:
            self._log.warning("configuration_waits_for_restart", keys=attempt.later)
        try:
            write_attempt(self._data, attempt)
        except OSError as error:  # a full disk: the log has it
            self._log.error("reload_not_written", error=str(error))


def _named(loaded: Loaded) -> tuple[Path, ...]:
    return tuple(loaded.folder / name for _, name in named_files(loaded.config))[:NAMED_FILES_MAX]


def _stamps(files: Sequence[Path]) -> dict[Path, Stamp | None]:
    return {file: stamp(file) for file in files}
