"""Work dealt out to processes, with a bar on the terminal."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Annotated, TypeVar

import typer

K = TypeVar("K")
T = TypeVar("T")

Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Processes to work in; 1: in this one.")]


def in_parallel(work: Callable[[K], T], items: Sequence[K], jobs: int, label: str) -> dict[K, T]:
    """Item → result, in the order of the items, whatever order they were finished in.

    A process begins with importing all that the work needs, so one job, or one item, is done in this process.
    """
    jobs = min(jobs, len(items))
    finished = _dealt_out(work, items, jobs) if jobs > 1 else ((item, work(item)) for item in items)
    with typer.progressbar(finished, length=len(items), label=label) as done:
        results = dict(done)
    return {item: results[item] for item in items}


def _dealt_out(work: Callable[[K], T], items: Sequence[K], jobs: int) -> Iterator[tuple[K, T]]:
    """As they are finished."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(work, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()
