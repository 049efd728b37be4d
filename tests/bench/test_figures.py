"""The pure part of single benchmarks: from samples to figures."""

from bench.balance import moved, of_algorithm
from bench.latency import added, figures
from bench.limits import count
from bench.open_loop import Found, Sample
from bench.reload import judge
from bench.scale import path_of, sample


def test_latency_counts_from_when_a_request_was_due() -> None:
    found = figures(Found([Sample(1.0, 1.5, 1.6, 200), Sample(2.0, 2.0, 2.6, 200), Sample(3.0, 0.0, 0.0, 0)], 0, 0))
    assert round(found["p50_ms"]) == round(found["p99_ms"]) == 600
    assert round(found["late_p99_ms"]) == 500
    assert found["bad"] == 1.0


def test_what_is_added_is_measured_against_the_direct_way() -> None:
    rows = added({"direct": {"p50_ms": 1.0, "p99_ms": 2.0}, "me": {"p50_ms": 1.25, "p99_ms": 5.0}})
    assert (rows["me"]["added_p50_ms"], rows["me"]["added_p99_ms"]) == (0.25, 3.0)


def test_only_what_was_let_through_in_the_interval_is_admitted() -> None:
    samples = [Sample(0, 0, 1.0, 200), Sample(0, 0, 2.0, 200), Sample(0, 0, 2.5, 429), Sample(0, 0, 3.0, 503)]
    assert count(samples, 1.5, 3.0) == (1, 1)


def test_keys_that_moved_are_told_from_those_that_had_to() -> None:
    found = moved(["a", "a", "b", "c"], ["a", "b", "b", "a"], "c")
    assert (found["moved"], found["had_to"], found["needlessly"]) == (0.5, 0.25, 0.25)


def test_the_first_second_teaches_and_does_not_count() -> None:
    found = of_algorithm([Sample(0.5, 0.5, 9.5, 200, "slow"), Sample(1.5, 1.5, 1.51, 200, "fast")])
    assert found["slow_share"] == 0.0
    assert round(found["p99_ms"]) == 10


def test_what_a_killed_worker_had_is_told_from_other_failures() -> None:
    samples = [Sample(0, 0.1, 0.2, 200), Sample(0, 0.1, 0.0, 0), Sample(0, 0.0, 0.0, 0), Sample(0, 0.1, 0.2, 502)]
    assert judge(samples) == {"all": 3, "under_way": 1, "other": 2}


def test_ten_thousand_paths_are_all_different_and_a_sample_is_spread_over_them() -> None:
    paths = [path_of(number) for number in range(10_000)]
    assert len(set(paths)) == 10_000
    chosen = sample(paths)
    assert len(chosen) == 1_000
    assert chosen[0] == paths[0]
    assert chosen[-1] == paths[9_990]
