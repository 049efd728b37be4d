"""Run a scenario in virtual time."""

from collections.abc import Callable, Iterator

from foregate.lab.headless.front import Front, PlainFront
from foregate.lab.heart import Heart
from foregate.lab.model.world import World
from foregate.lab.scenario import Scenario
from foregate.lab.traffic.visits import Visit
from foregate.lab.virtual import virtual_loop
from foregate.wire.event import RequestEvent

MakeFront = Callable[[World, Callable[[RequestEvent], None]], Front]
Look = Callable[[float, World], None]  # seconds into the run, and the inside of the world then


def run_headless(
    scenario: Scenario, *, chunk_s: float = 10.0, front: MakeFront | None = None, look: Look | None = None
) -> Iterator[list[RequestEvent]]:
    """The events of `scenario`, one list per `chunk_s` of virtual time, in the order in which requests end.

    The same scenario gives the same events, byte for byte. `front` makes the gateway's stand-in (default: PlainFront);
    `look` is called at the end of each chunk, to see and not to touch.
    Raises whatever a service raised that is not a failure of the model.
    """
    run = _Run(scenario, front)
    try:
        until_s = 0.0
        while until_s < scenario.duration_s:
            until_s = min(until_s + chunk_s, scenario.duration_s)
            events = run.until(until_s)
            if look is not None and run.world is not None:
                look(until_s, run.world)
            yield events
    finally:
        run.loop.close()


class _Run:
    def __init__(self, scenario: Scenario, make_front: MakeFront | None) -> None:
        self.loop = virtual_loop()
        self._scenario = scenario
        self._make_front = make_front or self._plain_front
        self._events: list[RequestEvent] = []
        self._errors: list[BaseException] = []
        self._front: Front | None = None
        self.world: World | None = None  # from its first moment on
        self.loop.call_soon(self._start)

    def _start(self) -> None:
        self.world = world = World(self._scenario)
        self._front = self._make_front(world, self._emit)
        Heart(self._scenario, self._send, world).start()

    def _plain_front(self, world: World, emit: Callable[[RequestEvent], None]) -> Front:
        scenario = self._scenario
        return PlainFront(world, emit, epoch_s=scenario.epoch_s, seed=scenario.seed, on_error=self._failed)

    def _send(self, visit: Visit, done: Callable[[int], None]) -> None:
        if self._front is not None:
            self._front.send(visit, done)

    def _emit(self, event: RequestEvent) -> None:
        self._events.append(event)

    def _failed(self, name: str, error: BaseException) -> None:
        self._errors.append(error)

    def until(self, until_s: float) -> list[RequestEvent]:
        """What ended up to `until_s`, since the last call."""
        self.loop.run_until(until_s)
        if self._errors:
            raise self._errors[0]
        if self.loop.errors:
            raise RuntimeError(f"the simulation failed: {self.loop.errors[0]}")
        events, self._events = self._events, []
        return events
