"""Repeats are found within a bounded stretch, and the same ones wherever reading began."""

from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.adapters.distributed.kafka import repeats
from foregate.adapters.distributed.kafka.repeats import BATCHES_MAX, Repeats


@settings(derandomize=True, max_examples=60)
@given(st.lists(st.integers(0, 40), max_size=120), st.integers(1, 20), st.integers(0, 120))
def test_a_batch_is_a_repeat_if_its_id_is_among_the_last(ids: list[int], at_most: int, begin: int) -> None:
    repeats.BATCHES_MAX, before = at_most, BATCHES_MAX
    try:
        whole, later = Repeats(), Repeats()
        for index, number in enumerate(ids):
            expected = number in ids[max(0, index - at_most) : index]
            assert whole.is_repeat(str(number)) == expected
            if index >= begin - at_most:  # as one that begins at `begin`, and looks back
                found = later.is_repeat(str(number))
                assert found == expected or index < begin
    finally:
        repeats.BATCHES_MAX = before


def test_a_batch_without_an_id_is_no_repeat() -> None:
    found = Repeats()
    assert [found.is_repeat("") for _ in range(3)] == [False] * 3
