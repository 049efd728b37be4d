"""Facets: bounded, mergeable in any order, and within their stated errors."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.telemetry.facets import CLASSES, Facets, class_of
from foregate.telemetry.heavy import HITTERS_MAX, HeavyHitters
from foregate.telemetry.sketch import Sketch
from foregate.telemetry.uniques import ERROR, FEW_MAX, Uniques, hash_of


def uniques(names: range) -> Uniques:
    made = Uniques()
    made.update(hash_of(f"192.0.2.{name}") for name in names)
    return made


@pytest.mark.parametrize("count", [0, 1, 100, FEW_MAX])
def test_few_clients_are_counted_exactly(count: int) -> None:
    assert Uniques.decode(uniques(range(count)).encode()).estimate() == count


@pytest.mark.parametrize("count", [FEW_MAX + 1, 600, 2_000, 5_000, 40_000, 200_000])
def test_many_clients_are_counted_within_four_standard_errors(count: int) -> None:
    assert uniques(range(count)).estimate() == pytest.approx(count, rel=4 * ERROR)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 600)), min_size=1, max_size=6))
def test_clients_of_parts_merge_into_the_same_bytes_as_all_at_once(parts: list[tuple[int, int]]) -> None:
    whole, merged = Uniques(), Uniques()
    for first, count in parts:
        names = range(first, first + count)
        whole.merge(uniques(names))
    for first, count in reversed(parts):
        names = range(first, first + count)
        merged.merge(Uniques.decode(uniques(names).encode()))
    everything = Uniques()
    everything.update(hash_of(f"192.0.2.{n}") for first, count in parts for n in range(first, first + count))
    assert whole.encode() == merged.encode() == everything.encode()
    assert len(whole.encode()) <= 1_024


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10_000), parts=st.integers(1, 8), names=st.sampled_from([5, HITTERS_MAX, 40, 500]))
def test_heavy_hitters_are_never_too_high_and_too_low_by_no_more_than_they_say(
    seed: int, parts: int, names: int
) -> None:
    chance = random.Random(seed)
    exact: Counter[str] = Counter()
    merged = HeavyHitters()
    for _ in range(parts):
        part = Counter(f"key_{int(names * chance.random() ** 3)}" for _ in range(chance.randrange(400)))
        exact.update(part)
        one = HeavyHitters()
        for name in part:
            one.update({name: part[name]})
        merged.merge(one)
    assert len(merged.counts) <= HITTERS_MAX
    assert merged.error_max <= exact.total() / (HITTERS_MAX + 1)
    for name, count in exact.items():
        assert merged.counts.get(name, 0) <= count <= merged.counts.get(name, 0) + merged.error_max
    if names <= HITTERS_MAX:
        assert merged.counts == dict(exact)


def sketch(*values_ms: float) -> Sketch:
    made = Sketch()
    for value_ms in values_ms:
        made.add(value_ms)
    return made


def one_part(chance: random.Random) -> tuple[Facets, Sketch, dict[int, Sketch]]:
    """Facets of some requests, the latencies of all of them, and of each class."""
    facets, whole = Facets(), Sketch()
    by_class = {status_class: Sketch() for status_class in CLASSES}
    for _ in range(chance.randrange(60)):
        status_class, value_ms = chance.choice(CLASSES), chance.lognormvariate(3.0, 1.0)
        facets.counts[status_class - 1] += 1
        facets.add_latency(status_class, sketch(value_ms))
        by_class[status_class].add(value_ms)
        whole.add(value_ms)
    facets.keys.update({"key_a": chance.randrange(1, 9), f"key_{chance.randrange(9)}": 1})
    facets.clients.update(chance.sample(range(1 << 32), 3))
    return facets, whole, by_class


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_latencies_of_every_class_survive_storing_and_merging_exactly(seed: int, parts: int) -> None:
    chance = random.Random(seed)
    merged, whole = Facets(), Sketch()
    exact = {status_class: Sketch() for status_class in CLASSES}
    requests = [0] * len(CLASSES)
    for _ in range(parts):
        facets, latencies, by_class = one_part(chance)
        merged.merge(Facets.decode(facets.encode()))
        whole.merge(latencies)
        requests = [mine + more for mine, more in zip(requests, facets.counts, strict=True)]
        for status_class in CLASSES:
            exact[status_class].merge(by_class[status_class])
    again = Facets.decode(merged.encode())
    assert again.counts == requests
    for status_class in CLASSES:
        found = again.latency(status_class, whole)
        assert (found.buckets, found.sum_us) == (exact[status_class].buckets, exact[status_class].sum_us)


@pytest.mark.parametrize(("status", "found"), [(0, 1), (101, 1), (204, 2), (304, 3), (499, 4), (599, 5), (999, 5)])
def test_every_status_has_a_class(status: int, found: int) -> None:
    assert class_of(status) == found


@pytest.mark.parametrize("data", [b"\x00", b"\x96\x02\x90\x80\x80\x00\xc4\x00", b"\x96\x01\x90\x80\x80\x00\xc4\x00"])
def test_facets_that_cannot_be_read_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        Facets.decode(data)
