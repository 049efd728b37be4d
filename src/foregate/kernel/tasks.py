"""Background tasks that are neither lost nor silent."""

import asyncio
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_alive: set[asyncio.Task[Any]] = set()  # asyncio itself holds tasks only weakly


def report_to_stderr(name: str, error: BaseException) -> None:
    """The reporter of last resort: the task's name and its traceback."""
    sys.stderr.write(f"task {name} failed\n{''.join(traceback.format_exception(error))}")


def spawn(
    coroutine: Coroutine[Any, Any, T],
    *,
    name: str,
    on_error: Callable[[str, BaseException], None] = report_to_stderr,
) -> asyncio.Task[T]:
    """Start `coroutine` as a task that is kept alive until it ends; a failure reaches `on_error(name, error)`."""
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _alive.add(task)

    def done(finished: asyncio.Task[T]) -> None:
        _alive.discard(finished)
        if not finished.cancelled() and (error := finished.exception()) is not None:
            on_error(name, error)

    task.add_done_callback(done)
    return task
