"""One supervised process."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from foregate.app.supervise.backoff import Backoff

STOP_TIMEOUT_S = 15.0  # of a child that does not say how long its end may take; then it is killed
ChildState = Literal["starting", "running", "waiting", "stopped"]


@dataclass(frozen=True)
class ChildSpec:
    """`argv` is run as it is; lower `stop_order` stops earlier; `env` is all the child's environment.

    `sockets` are descriptors that the child gets too, under the same numbers. It is killed when it has not ended
    `stop_timeout_s` after it was asked to.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_order: int = 0
    sockets: tuple[int, ...] = ()
    stop_timeout_s: float = STOP_TIMEOUT_S


class Child:
    """A process that was started, and can be stopped. Its standard input is the pipe that ties it to us."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.backoff = Backoff()
        self.state: ChildState = "starting"
        self.restarts = 0
        self.started_s = 0.0
        self.last_exit: int | None = None
        self._stop_asked = False
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.state == "running" else None

    async def start(self, now_s: float) -> None:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            *self.spec.argv,
            stdin=asyncio.subprocess.PIPE,
            env=dict(self.spec.env),
            pass_fds=self.spec.sockets,
            start_new_session=True,  # a Ctrl-C in the terminal reaches the supervisor alone, which stops in order
        )
        self.state, self.started_s = "running", now_s
        if self._stop_asked:  # while it was being started
            self._process.terminate()

    def nudge(self) -> None:
        """Tell the process, by a byte on its standard input, that there is something new for it to look at."""
        pipe = self._process.stdin if self._process is not None and self.state == "running" else None
        if pipe is None or pipe.is_closing() or pipe.transport.get_write_buffer_size():
            return  # it is gone and will look when it starts, or has bytes waiting that say the same
        pipe.write(b"\n")

    def kill(self) -> None:
        """End the process and what it has started, without asking: it does not answer."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """The exit status of the started process, once it has ended (negative: the signal that ended it)."""
        assert self._process is not None, "start() comes first"  # noqa: S101 - for the type checker
        self.last_exit = await self._process.wait()
        return self.last_exit

    async def stop(self) -> bool:
        """Ask the process to end, and end it after `stop_timeout_s`. False when it had to be killed."""
        self._stop_asked = True
        process = self._process
        if process is None or process.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_timeout_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            return False
        return True
