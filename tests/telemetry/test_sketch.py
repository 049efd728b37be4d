"""The sketch: bounded error, exact merging, a strict encoding."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.making import exact_quantile

from foregate.telemetry.sketch import BUCKETS, MIN_MS, Sketch, bucket_of, middle_ms

values = st.floats(min_value=0.0, max_value=6_000_000.0)
lists = st.lists(values, max_size=200)
shares = st.floats(min_value=0.001, max_value=1.0)


def sketch_of(numbers: list[float]) -> Sketch:
    sketch = Sketch()
    for number in numbers:
        sketch.add(number)
    return sketch


def state(sketch: Sketch) -> tuple[dict[int, int], int]:
    return sketch.buckets, sketch.sum_us


@given(st.lists(values, min_size=1, max_size=300), shares)
def test_a_quantile_is_within_one_percent_of_the_exact_one(numbers: list[float], share: float) -> None:
    exact = exact_quantile(sorted(numbers), share)
    (found,) = sketch_of(numbers).quantiles([share])
    assert abs(found - exact) <= max(0.0101 * exact, MIN_MS)


@given(lists, lists, lists)
def test_merging_does_not_depend_on_order_or_grouping(a: list[float], b: list[float], c: list[float]) -> None:
    left = sketch_of(a)
    left.merge(sketch_of(b))
    left.merge(sketch_of(c))
    right = sketch_of(c)
    tail = sketch_of(b)
    tail.merge(sketch_of(a))
    right.merge(tail)
    assert state(left) == state(right) == state(sketch_of(a + b + c))


@given(lists, lists)
def test_subtracting_undoes_merging_exactly(a: list[float], b: list[float]) -> None:
    both = sketch_of(a + b)
    both.subtract(sketch_of(b))
    assert state(both) == state(sketch_of(a))


def test_subtracting_what_was_never_merged_is_refused() -> None:
    with pytest.raises(ValueError, match="never contained"):
        sketch_of([5.0]).subtract(sketch_of([500.0]))


@given(lists)
def test_encoding_round_trips(numbers: list[float]) -> None:
    sketch = sketch_of(numbers)
    assert state(Sketch.decode(sketch.encode())) == state(sketch)


@pytest.mark.parametrize("count", [255, 256, 65_535, 65_536, 1 << 32])
def test_encoding_round_trips_at_the_borders_of_its_number_types(count: int) -> None:
    sketch = Sketch({7: count, 1_023: 1}, count)
    assert state(Sketch.decode(sketch.encode())) == state(sketch)


@given(st.binary(max_size=60))
def test_decoding_junk_is_a_value_error_and_nothing_else(junk: bytes) -> None:
    try:
        Sketch.decode(junk)
    except ValueError:
        return
    assert junk == b"" or junk[0] == 1


def test_values_beyond_the_ends_count_to_the_end_buckets() -> None:
    assert bucket_of(0.0) == 0
    assert bucket_of(1e12) == BUCKETS - 1


def test_a_middle_stands_for_its_own_bucket() -> None:
    assert [bucket_of(middle_ms(bucket)) for bucket in range(BUCKETS)] == list(range(BUCKETS))


def test_an_empty_sketch_has_zeros() -> None:
    assert Sketch().quantiles() == [0.0, 0.0, 0.0]
    assert Sketch().mean_ms() == 0.0


def test_the_mean_is_exact_to_a_microsecond() -> None:
    numbers = [0.1234, 17.0, 2_500.25]
    assert math.isclose(sketch_of(numbers).mean_ms(), sum(numbers) / 3, abs_tol=0.001)


@given(st.lists(st.lists(st.floats(0.0, 1e6), max_size=30), max_size=6))
def test_merging_what_is_encoded_is_merging(groups: list[list[float]]) -> None:
    merged, same = Sketch(), Sketch()
    for values in groups:
        one = Sketch()
        for value in values:
            one.add(value)
        merged.merge(one)
        same.merge_encoded(one.encode() if values else b"")
    assert (same.buckets, same.sum_us, same.quantiles()) == (merged.buckets, merged.sum_us, merged.quantiles())
