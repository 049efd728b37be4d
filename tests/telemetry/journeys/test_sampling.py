"""What is kept: every error, the slow, the rare, and of the rest no more than its share and its budget."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.telemetry.journeys.sampling import Facts, Sampler, fraction
from foregate.wire.survey import Journeys


def facts(chance: random.Random, *, failed: bool = False, ms: float = 10.0, route: str = "/a") -> Facts:
    return Facts(f"{chance.getrandbits(128):032x}", route, ms, failed, [route])


def test_every_error_is_kept_under_a_flood() -> None:
    chance, sampler = random.Random(1), Sampler(Journeys(rest_per_minute_max=10))
    kept = [sampler.decide(facts(chance, failed=number % 1_000 == 0), number / 10_000) for number in range(100_000)]
    assert kept.count("error") == 100
    assert kept.count("share") <= 10


def test_the_first_of_a_route_is_rare_and_again_after_it_was_not_seen_for_long() -> None:
    chance, sampler = random.Random(2), Sampler(Journeys(share=0.0, rare_s=600))
    assert [sampler.decide(facts(chance), at) for at in (0, 1, 500, 1_200, 1_201)] == ["rare", None, None, "rare", None]


def test_slow_means_slower_than_the_routes_own_p99() -> None:
    chance, sampler = random.Random(3), Sampler(Journeys(share=0.0))
    for number in range(1_000):
        sampler.decide(facts(chance, ms=chance.uniform(5, 15)), number / 100)
        sampler.decide(facts(chance, ms=chance.uniform(500, 1_500), route="/slow"), number / 100)
    assert sampler.decide(facts(chance, ms=20), 11) == "slow"
    assert sampler.decide(facts(chance, ms=20, route="/slow"), 11) is None
    same = Sampler(Journeys(share=0.0))
    assert [same.decide(facts(chance, ms=10.0), 0.0) for _ in range(2_000)].count("slow") == 0


def test_keepers_agree_and_a_smaller_share_is_part_of_a_larger_one() -> None:
    chance = random.Random(4)
    traces = [facts(chance) for _ in range(5_000)]

    def kept(share: float) -> set[str]:
        sampler = Sampler(Journeys(share=share, rest_per_minute_max=100_000))
        return {one.trace_id for one in traces if sampler.decide(one, 0.0)}

    assert kept(0.2) == kept(0.2)
    assert kept(0.05) <= kept(0.2)
    assert 800 < len(kept(0.2)) < 1_200


def test_the_share_sinks_to_spread_the_budget_over_the_minute() -> None:
    chance, sampler = random.Random(5), Sampler(Journeys(share=1.0, rest_per_minute_max=100))
    kept_at = [number / 10 for number in range(6_000) if sampler.decide(facts(chance), number / 10) == "share"]
    later = [at for at in kept_at if at >= 120]
    assert len([at for at in later if at < 180]) <= 100
    assert max(at for at in later if at < 180) > 165


@settings(derandomize=True, max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), budget=st.integers(0, 50), share=st.floats(0, 1))
def test_the_rest_never_exceeds_its_budget_of_a_minute(seed: int, budget: int, share: float) -> None:
    chance = random.Random(seed)
    sampler = Sampler(Journeys(share=share, rest_per_minute_max=budget))
    kept: dict[int, int] = {}
    at = 0.0
    for _ in range(500):
        at += chance.uniform(0.0, 0.6)
        if sampler.decide(facts(chance), at) == "share":
            kept[int(at // 60)] = kept.get(int(at // 60), 0) + 1
    assert max(kept.values(), default=0) <= budget


def test_ids_whose_first_digits_never_change_are_spread_too() -> None:
    near = [fraction(f"{number:032x}") for number in range(10_000)]
    assert 0.45 < sum(near) / len(near) < 0.55
    assert fraction("not hexadecimal") < 1.0
