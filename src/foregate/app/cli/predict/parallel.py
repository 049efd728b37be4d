"""Work dealt out to processes, with a bar on the terminal."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Annotated, TypeVar

import typer

K = TypeVar("K")
T = TypeVar("T")

Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Processes to simulate in.")]


def in_parallel(work: Callable[[K], T], items: Sequence[K], jobs: int, label: str) -> dict[K, T]:
    """Item → result, in the order of the items, whatever order they were finished in."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(work, item): item for item in items}
        with typer.progressbar(as_completed(futures), length=len(items), label=label) as done:
            results = {futures[future]: future.result() for future in done}
    return {item: results[item] for item in items}
