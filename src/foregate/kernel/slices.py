"""Work in slices: a generator that yields wherever it may be interrupted, and returns what it has made."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def whole(steps: Generator[None, None, T]) -> T:
    """All of it in one go."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            made: T = done.value
            return made


async def in_slices(steps: Generator[None, None, T]) -> T:
    """One slice after another, between which the loop has its turn."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            made: T = done.value
            return made
        await asyncio.sleep(0)
