"""Sign-ins that fail everywhere: when that is an attack, when it is a broken sign-in, and what is remembered of it."""

from random import Random

from foregate.abuse.spread import ADDRESSES_MIN, ROUTES_MAX, Spread

FIRST = 850_000_000


def usual(spread: Spread, slices: int, good: int = 20, denied: int = 1) -> None:
    """People sign in; now and then somebody mistypes."""
    rng = Random(1)
    for slice_ in range(FIRST, FIRST + slices):
        for _ in range(denied):
            spread.denied("/login", rng.getrandbits(32), slice_)
        for _ in range(good):
            spread.good("/login", slice_)


def rush(spread: Spread, from_slice: int, slices: int, good: int, addresses: int) -> bool:
    rng = Random(2)
    from_whom = [rng.getrandbits(32) for _ in range(addresses)]
    for slice_ in range(from_slice, from_slice + slices):
        for _ in range(40):
            spread.denied("/login", rng.choice(from_whom), slice_)
        for _ in range(good):
            spread.good("/login", slice_)
    return spread.is_attacked("/login")


def test_many_failures_from_many_addresses_are_an_attack_while_others_get_in() -> None:
    spread = Spread(3.0)
    usual(spread, 100)
    assert not spread.is_attacked("/login")
    assert rush(spread, FIRST + 100, 10, good=20, addresses=200)
    usual(spread, 0)
    for slice_ in range(FIRST + 110, FIRST + 300):
        spread.good("/login", slice_)
    assert not spread.is_attacked("/login")


def test_where_nobody_gets_in_any_more_the_sign_in_is_broken_and_nobody_is_to_blame() -> None:
    spread = Spread(3.0)
    usual(spread, 100)
    assert not rush(spread, FIRST + 100, 60, good=0, addresses=200)


def test_many_failures_from_a_few_addresses_are_not_everywhere() -> None:
    spread = Spread(3.0)
    usual(spread, 100)
    assert not rush(spread, FIRST + 120, 10, good=20, addresses=int(ADDRESSES_MIN) // 2)


def test_no_more_than_a_bounded_number_of_routes_is_watched() -> None:
    spread = Spread(3.0)
    for number in range(ROUTES_MAX + 50):
        spread.denied(f"/{number}", 1, FIRST)
    assert len(spread._routes) == ROUTES_MAX
    assert not spread.is_attacked(f"/{ROUTES_MAX + 10}")
