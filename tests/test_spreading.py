"""Where the slow ones stand among the others."""

from itertools import pairwise

import pytest
from tests.spreading import spread


@pytest.mark.parametrize(("many", "few"), [(400, 22), (10, 3), (5, 5), (3, 1), (4, 0)])
def test_nothing_is_lost_the_order_stays_and_the_slow_are_apart_and_never_last(many: int, few: int) -> None:
    fast, slow = [f"fast {n}" for n in range(many)], [f"slow {n}" for n in range(few)]
    order = spread(fast, slow)
    assert [one for one in order if one in fast] == fast
    assert [one for one in order if one in slow] == slow
    assert order[-1] == fast[-1]
    places = [order.index(one) for one in slow]
    assert all(after - before >= many // (few + 1) for before, after in pairwise(places))


def test_a_few_alone_are_all_there_is() -> None:
    assert spread([], ["slow"]) == ["slow"]
