"""How late this worker's loop is: the plainest sign of overload, seen before latency shows it."""

import asyncio

_TICK_S = 0.05
_WEIGHT = 0.2  # of the newest measurement: about a quarter of a second of memory


class Lateness:
    """A timer measures by how much it was called too late; `smoothed_s()` is an EWMA of that, in seconds."""

    __slots__ = ("_due_s", "_handle", "_smoothed_s")

    def __init__(self) -> None:
        self._smoothed_s = 0.0
        self._due_s = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def smoothed_s(self) -> float:
        return self._smoothed_s

    def start(self) -> None:
        """Begin to measure, on the running loop."""
        loop = asyncio.get_running_loop()
        self._due_s = loop.time() + _TICK_S
        self._handle = loop.call_at(self._due_s, self._tick)

    def _tick(self) -> None:
        late_s = max(0.0, asyncio.get_running_loop().time() - self._due_s)
        self._smoothed_s += _WEIGHT * (late_s - self._smoothed_s)
        self.start()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
