"""How clients behave: most send once and take what comes; impatient ones repeat what is slow or has failed, at once."""

import asyncio
from collections.abc import Callable

from foregate.lab.model.world import World
from foregate.lab.traffic.visits import Visit

REPEATS_MAX = 3
HEDGE_OF_HOLD = 2.4  # an impatient client sends again after so many times the ordinary duration

Send = Callable[[Visit, Callable[[int], None]], None]


class Crowd:
    """Sends visits through `send(visit, done)`, where `done(status)` tells the client what it got."""

    def __init__(self, world: World, send: Send) -> None:
        self._send = send
        self._hedge_s = {name: HEDGE_OF_HOLD * service.profile.hold_s for name, service in world.services.items()}
        self.repeats = 0

    def visit(self, visit: Visit) -> None:
        """Let one client ask."""
        if visit.impatient:
            _Impatient(self, visit)
        else:
            self._send(visit, _taken)

    def send(self, visit: Visit, done: Callable[[int], None]) -> None:
        self._send(visit, done)

    def hedge_s(self, visit: Visit) -> float:
        return self._hedge_s[visit.route.service]


def _taken(status: int) -> None:
    """A patient client takes what comes."""


class _Impatient:
    """One client's wish: until an answer is there it asks again and again, REPEATS_MAX times at most."""

    def __init__(self, crowd: Crowd, visit: Visit) -> None:
        self._crowd = crowd
        self._visit = visit
        self._left = REPEATS_MAX
        self._answered = False
        self._ask()

    def _ask(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._crowd.hedge_s(self._visit), self._again)
        self._crowd.send(self._visit, self._done)

    def _again(self) -> None:
        if not self._answered and self._left:
            self._left -= 1
            self._crowd.repeats += 1
            self._timer.cancel()
            self._ask()

    def _done(self, status: int) -> None:
        if status >= 500 and self._left:
            self._again()
        else:
            self._answered = True
            self._timer.cancel()
