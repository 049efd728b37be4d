"""Time limits by sweep."""

from tests.http1.world import run

from foregate.http1.deadlines import NEVER, Deadlines
from foregate.kernel.clock import ManualClock


class Item:
    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self.expired = 0

    def expire(self) -> None:
        self.expired += 1
        self.deadline_s = NEVER


def test_only_the_late_expire_and_only_once() -> None:
    clock = ManualClock()
    late, early, never = Item(1.0), Item(3.0), Item(NEVER)

    async def main() -> None:
        deadlines = Deadlines(clock, tick_s=60)
        for item in (late, early, never):
            deadlines.watch(item)
        clock.advance(2.0)
        deadlines.sweep()
        deadlines.sweep()
        deadlines.stop()

    run(main)
    assert (late.expired, early.expired, never.expired) == (1, 0, 0)


def test_what_is_forgotten_does_not_expire() -> None:
    clock = ManualClock()
    item = Item(1.0)

    async def main() -> None:
        deadlines = Deadlines(clock, tick_s=60)
        deadlines.watch(item)
        deadlines.forget(item)
        clock.advance(2.0)
        deadlines.sweep()
        deadlines.stop()

    run(main)
    assert item.expired == 0
