"""Near targets first, and panic."""

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.upstream.balance.zones import Placed, split

NEAR, FAR = Placed("a", True, True), Placed("b", True, True)
SICK, TRIPPED = Placed("a", False, False), Placed("a", True, False)


def chosen(placed: list[Placed], zone: str = "a", spill: float = 0.7) -> tuple[list[int], list[int]]:
    return split(list(range(len(placed))), placed, zone, spill)


def test_targets_of_the_own_zone_are_used_and_the_others_kept_in_reserve() -> None:
    assert chosen([NEAR, FAR, NEAR, FAR]) == ([0, 2], [1, 3])


def test_when_too_few_of_the_own_zone_are_well_all_share_the_load() -> None:
    assert chosen([NEAR, NEAR, SICK, FAR]) == ([0, 1, 3], [])
    assert chosen([NEAR, NEAR, TRIPPED, FAR]) == ([0, 1, 2, 3], [])
    assert chosen([NEAR, NEAR, NEAR, SICK, FAR]) == ([0, 1, 2], [4])


def test_a_zone_of_nobody_and_no_zone_mean_all() -> None:
    assert chosen([NEAR, FAR], "c") == ([0, 1], [])
    assert chosen([NEAR, FAR], "") == ([0, 1], [])


def test_when_all_are_unhealthy_all_are_used() -> None:
    assert chosen([SICK, SICK, Placed("b", False, False)]) == ([0, 1, 2], [])


@given(
    st.lists(st.builds(Placed, st.sampled_from("abc"), st.booleans(), st.booleans()), min_size=1, max_size=10),
    st.floats(0.0, 1.0),
)
def test_somebody_is_always_used_and_nobody_twice(placed: list[Placed], spill: float) -> None:
    active, reserve = chosen(placed, "a", spill)
    assert active
    assert not set(active) & set(reserve)
    if any(place.usable for place in placed):
        assert all(placed[index].usable for index in active + reserve)
        assert len(active) + len(reserve) == sum(place.usable for place in placed)
