"""Keeps a set of children alive until it is told to stop."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import structlog

from foregate.app.paths import write_private
from foregate.app.supervise.child import Child, ChildSpec
from foregate.kernel.clock import Clock
from foregate.kernel.tasks import spawn

EXIT_REFUSED = 2  # a child that ends with it was told something impossible: starting it again would not help


class Supervisor:
    """`run` returns the exit status for the whole: 0 after `stop`, EXIT_REFUSED when a child refused to start."""

    def __init__(
        self, specs: Sequence[ChildSpec], *, clock: Clock, log: structlog.typing.FilteringBoundLogger, status_file: Path
    ) -> None:
        self._children = [Child(spec) for spec in specs]
        self._clock = clock
        self._log = log
        self._status_file = status_file
        self._stopping = asyncio.Event()
        self._status = 0

    def stop(self, status: int = 0) -> None:
        """Begin an orderly stop (idempotent)."""
        if not self._stopping.is_set():
            self._status = status
            self._stopping.set()

    def nudge(self, prefix: str) -> None:
        """Nudge every running child whose name begins so."""
        for child in self._children:
            if child.spec.name.startswith(prefix):
                child.nudge()

    def pid(self, name: str) -> int | None:
        """The process id of a running child."""
        return next((child.pid for child in self._children if child.spec.name == name), None)

    def replace(self, name: str, why: str) -> None:
        """End a child that no longer hears us, at once; another one takes its place."""
        for child in self._children:
            if child.spec.name == name:
                self._log.error("child_hung", child=name, pid=child.pid, why=why)
                child.kill()

    async def run(self) -> int:
        keepers = [spawn(self._keep(child), name=f"keep {child.spec.name}") for child in self._children]
        await self._stopping.wait()
        by_order = sorted(self._children, key=lambda child: child.spec.stop_order)
        for _, group in itertools.groupby(by_order, key=lambda child: child.spec.stop_order):
            await asyncio.gather(*(self._stop(child) for child in group))
        await asyncio.gather(*keepers)
        self._write_status()
        return self._status

    async def _stop(self, child: Child) -> None:
        if not await child.stop():
            self._log.error("child_killed", child=child.spec.name, after_s=child.spec.stop_timeout_s)

    async def _keep(self, child: Child) -> None:
        while not self._stopping.is_set():
            started_s = self._clock.monotonic()
            status = await self._run_once(child)
            if self._stopping.is_set():
                break
            if status == EXIT_REFUSED:
                self._log.error("child_refused", child=child.spec.name)
                self.stop(EXIT_REFUSED)
                break
            child.restarts += 1
            child.state = "waiting"
            wait_s = child.backoff.after_death(self._clock.monotonic() - started_s)
            self._log.warning("child_died", child=child.spec.name, exit=status, restart_in_s=wait_s)
            self._write_status()
            await self._sleep(wait_s)
        child.state = "stopped"

    async def _run_once(self, child: Child) -> int | None:
        """The child's exit status; None when the machine could not even start it (no memory, no process to be had)."""
        try:
            await child.start(self._clock.now())
        except OSError as error:
            self._log.error("child_not_started", child=child.spec.name, error=str(error))
            return None
        self._write_status()
        return await child.wait()

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _write_status(self) -> None:
        """Tell the control plane, which is itself a child and may be down, by a file."""
        rows = [
            {
                "name": child.spec.name,
                "state": child.state,
                "pid": child.pid,
                "restarts": child.restarts,
                "started_s": child.started_s,
                "last_exit": child.last_exit,
            }
            for child in self._children
        ]
        try:
            write_private(self._status_file, json.dumps(rows))
        except OSError as error:  # a full disk must not take the children down with it
            self._log.error("status_not_written", error=str(error))
