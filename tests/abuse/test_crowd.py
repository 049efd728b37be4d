"""When a change is everybody's, and how long that excuses."""

from foregate.abuse.client import SLICE_S
from foregate.abuse.crowd import BAD, GROWTHS_MIN, RATE, TRIPPED_MIN, Crowd

FIRST = 850_000_000  # a slice on a minute's border
NOW_S = FIRST * SLICE_S


def crowd_of(clients: int) -> Crowd:
    crowd = Crowd()
    crowd.at(FIRST)
    for n in range(clients):
        crowd.note(f"ip:{n}", 10.0, 10.0)
    return crowd


def test_the_median_of_all_is_the_growth_and_one_client_does_not_move_it() -> None:
    crowd = crowd_of(20)
    crowd.at(FIRST + 1)
    assert crowd.growth == 1.0
    for n in range(20):
        crowd.note(f"ip:{n}", 60.0 if n else 9_000.0, 10.0)
    crowd.at(FIRST + 2)
    assert crowd.growth == 6.0


def test_a_few_clients_or_hardly_active_ones_are_no_crowd() -> None:
    crowd = Crowd()
    crowd.at(FIRST)
    for n in range(GROWTHS_MIN - 1):
        crowd.note(f"ip:{n}", 60.0, 10.0)
    for n in range(50):
        crowd.note(f"ip:rare-{n}", 1.0, 0.01)
    crowd.at(FIRST + 1)
    assert crowd.growth == 1.0


def test_a_rush_is_forgotten_soon_after_it_is_over() -> None:
    crowd = Crowd()
    for slice_ in range(30):
        crowd.at(FIRST + slice_)
        for n in range(10):
            crowd.note(f"ip:{n}", 50.0 if slice_ < 10 else 10.0, 10.0)
        if slice_ == 9:
            assert crowd.growth == 5.0
    assert crowd.growth == 1.0


def test_many_that_turn_bad_within_a_minute_are_everybody_in_that_way_alone() -> None:
    crowd = crowd_of(50)
    for n in range(TRIPPED_MIN):
        assert not crowd.is_everybody(BAD)
        crowd.trip(f"ip:{n}", BAD, NOW_S)
        crowd.trip(f"ip:{n}", BAD, NOW_S + 1.0)  # the same one once more is not another one
    assert crowd.is_everybody(BAD)
    assert not crowd.is_everybody(RATE)
    crowd.at(FIRST + 29)
    assert crowd.is_everybody(BAD)
    crowd.at(FIRST + 32)
    assert not crowd.is_everybody(BAD)


def test_among_many_more_must_turn_bad() -> None:
    crowd = crowd_of(1_000)
    for n in range(49):
        crowd.trip(f"ip:{n}", BAD, NOW_S)
    assert not crowd.is_everybody(BAD)
    crowd.trip("ip:49", BAD, NOW_S)
    assert crowd.is_everybody(BAD)
