"""The sketches keep their published bounds, whatever is counted."""

from collections import Counter
from math import e, exp
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.abuse.sketches import CM_BUCKETS, CM_HASHES, HLL_LG, HeavyHitters, Uniques

names = st.integers(0, 400).map(lambda n: f"ip:192.0.2.{n}")


def zipf(rng: Random, distinct: int, total: int) -> Counter[str]:
    weights = [1.0 / (rank + 1) for rank in range(distinct)]
    return Counter(f"key-{n}" for n in rng.choices(range(distinct), weights, k=total))


@settings(max_examples=60)
@given(st.lists(st.dictionaries(names, st.integers(1, 1_000), max_size=60), max_size=12), st.integers(0, 12))
def test_count_min_never_says_too_little(batches: list[dict[str, int]], turn_after: int) -> None:
    heavy, exact = HeavyHitters(), Counter[str]()
    for number, batch in enumerate(batches):
        if number == turn_after:
            heavy.turn()
        heavy.add(batch)
        exact.update(batch)
    assert heavy.total == exact.total()
    assert all(heavy.estimate(name) >= count for name, count in exact.items())


def test_count_min_says_too_much_as_seldom_as_it_promises() -> None:
    distinct, total = 60_000, 400_000
    exact, heavy = zipf(Random(11), distinct, total), HeavyHitters()
    heavy.add(exact)
    beyond = sum(heavy.estimate(name) > count + e / CM_BUCKETS * total for name, count in exact.items())
    assert abs(heavy.error_max - total * e / CM_BUCKETS) < 1.0
    assert beyond / len(exact) <= exp(-CM_HASHES)


def test_the_heaviest_are_named_among_many_that_come_once() -> None:
    heavy = HeavyHitters()
    wanted = {f"heavy-{n}": 2_000 + 100 * n for n in range(10)}
    for batch in range(200):
        noise = {f"once-{batch}-{n}": 1 for n in range(300)}
        heavy.add(noise | {name: count // 200 for name, count in wanted.items()})
    top = [name for name, _ in heavy.top(10)]
    assert set(top) == set(wanted)


def test_a_turn_forgets_what_is_two_spans_old() -> None:
    heavy = HeavyHitters()
    heavy.add({"a": 5})
    heavy.turn()
    assert heavy.estimate("a") == 5
    heavy.turn()
    assert heavy.estimate("a") == 0
    assert heavy.top(3) == []


def test_hyperloglog_errs_by_its_standard_error() -> None:
    """1.04 / sqrt(2^13) = 1.15 %: over many sets the root of the mean square error, and three times that for each."""
    promised = 1.04 / 2 ** (HLL_LG / 2)
    errors = []
    for seed in range(40):
        uniques = Uniques()
        uniques.add(f"{seed}:{n}" for n in range(20_000))
        errors.append(uniques.estimate / 20_000 - 1.0)
    assert max(map(abs, errors)) < 3.5 * promised
    assert (sum(error**2 for error in errors) / len(errors)) ** 0.5 < 1.3 * promised
    assert sum(abs(error) <= 2 * promised for error in errors) >= 0.9 * len(errors)


@settings(max_examples=40)
@given(st.lists(names, max_size=400), st.lists(names, max_size=400))
def test_visitors_are_counted_once_however_often_they_come_and_across_a_restart(a: list[str], b: list[str]) -> None:
    one, other = Uniques(), Uniques()
    one.add(a)
    one.add(a)
    other.add(b)
    resumed = Uniques(bytes(one))
    assert resumed.estimate == one.estimate
    resumed.add(b)
    assert abs(resumed.estimate - len({*a, *b})) <= 0.03 * len({*a, *b}) + 0.5
    assert abs(Uniques.together([one, other]) - resumed.estimate) <= 0.03 * resumed.estimate + 0.5
