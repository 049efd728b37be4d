"""The budget of bodies that are read whole."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway import layout
from foregate.gateway.held_bodies import HeldBodies, Share

BYTES_MAX = 100


def test_who_can_do_without_leaves_half_to_the_others() -> None:
    bodies = HeldBodies(BYTES_MAX, cast("Any", [0.0] * layout.WORKER_CELLS))
    assert bodies.spare(50)
    assert not bodies.spare(1)
    assert bodies.take(50)
    assert bodies.held == BYTES_MAX


@given(st.lists(st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 60))), max_size=60))
def test_no_more_is_held_than_may_be_and_what_is_held_is_what_requests_have(
    steps: list[tuple[int, int | None]],
) -> None:
    """Each step: whose it is, and by how much it grows; None: it ends."""
    cells = [0.0] * layout.WORKER_CELLS
    bodies = HeldBodies(BYTES_MAX, cast("Any", cells))
    shares, sizes, refused = [Share(bodies) for _ in range(5)], [0] * 5, 0
    for index, more in steps:
        if more is None:
            shares[index].end(cast("Any", None))
            sizes[index] = 0
        elif shares[index].grow(sizes[index] + more):
            sizes[index] += more
        else:
            refused += 1
            assert sum(sizes) + more > BYTES_MAX
        assert bodies.held == sum(sizes) == cells[layout.HELD_BYTES] <= BYTES_MAX
        assert cells[layout.HELD_REFUSED] == refused
