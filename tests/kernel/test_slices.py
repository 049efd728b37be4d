"""Work in slices gives the same, whether others have their turn in between or not."""

import asyncio
from collections.abc import Generator

import pytest

from foregate.kernel.slices import in_slices, whole


def counting(upto: int) -> Generator[None, None, int]:
    total = 0
    for number in range(upto):
        total += number
        yield
    return total


def test_both_ways_give_what_was_made() -> None:
    assert whole(counting(10)) == 45
    assert asyncio.run(in_slices(counting(10))) == 45


def test_others_have_their_turn_between_slices() -> None:
    async def main() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        await in_slices(counting(20))
        task.cancel()
        return turns

    assert asyncio.run(main()) >= 19


def test_what_goes_wrong_in_a_slice_is_not_swallowed() -> None:
    def broken() -> Generator[None, None, int]:
        yield
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        whole(broken())
    with pytest.raises(LookupError, match="here"):
        asyncio.run(in_slices(broken()))
