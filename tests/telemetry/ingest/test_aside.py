"""What takes long is done beside the loop, for everybody in turn."""

import asyncio
import threading
from collections.abc import Callable

from foregate.telemetry.ingest.aside import Aside


def test_owners_take_turns_and_a_failure_is_told_and_ends_nothing() -> None:
    told: list[object] = []

    async def main() -> None:
        aside, go, all_told = Aside(asyncio.get_running_loop()), threading.Event(), asyncio.Event()

        def tell(result: Callable[[], object]) -> None:
            try:
                told.append(result())
            except ZeroDivisionError as error:
                told.append(error.__class__)
            if len(told) == 6:
                all_told.set()

        aside.run("greedy", lambda: (go.wait(20.0), "g0")[1], tell)
        for number in range(1, 4):
            aside.run("greedy", lambda number=number: f"g{number}", tell)  # type: ignore[misc]
        aside.run("other", lambda: 1 / 0, tell)
        aside.run("third", lambda: threading.current_thread() is threading.main_thread(), tell)
        go.set()
        await asyncio.wait_for(all_told.wait(), 20.0)
        aside.close()

    asyncio.run(main())
    assert told == ["g0", "g1", ZeroDivisionError, False, "g2", "g3"]
