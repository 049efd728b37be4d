"""The heartbeat of a run: once a second the board of faults moves, the watchdogs look, and traffic is drawn.

The same heart beats in virtual time and in real time: it knows only the loop it runs on.
"""

import asyncio

from foregate.lab.faults.board import Board
from foregate.lab.model.world import World
from foregate.lab.scenario import Scenario
from foregate.lab.traffic.arrivals import Arrivals
from foregate.lab.traffic.patience import Crowd, Send
from foregate.lab.traffic.visits import Visit

BEAT_S = 1.0


class Heart:
    """A world with its faults and its traffic. `send` carries a visit to the gateway, simulated or real."""

    def __init__(self, scenario: Scenario, send: Send, world: World | None = None) -> None:
        self.world = world or World(scenario)
        self.board = Board(self.world, scenario.faults)
        self.crowd = Crowd(self.world, send)
        self.arrivals = Arrivals(self.world, scenario, self._at)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began_s = 0.0
        self._beats = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to beat on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._beat()

    def stop(self) -> None:
        """Beat no more; what was sent already runs to its end."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None

    @property
    def now_s(self) -> float:
        """Seconds into the run."""
        return self._loop.time() - self._began_s if self._loop is not None else 0.0

    def _beat(self) -> None:
        if self._loop is None:
            return
        start_s = self._beats * BEAT_S
        self._beats += 1
        self.board.step(start_s)
        self.world.tick(BEAT_S)
        self.arrivals.second(start_s)
        self._timer = self._loop.call_at(self._began_s + start_s + BEAT_S, self._beat)

    def _at(self, moment_s: float, visit: Visit) -> None:
        if self._loop is not None:
            self._loop.call_at(self._began_s + moment_s, self.crowd.visit, visit)
