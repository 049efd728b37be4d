"""Clocks that disagree are corrected, marked, and causality is never turned round."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry.journeys.making import MS, T0_NS, call, span, tree

from foregate.telemetry.journeys.join import Trace, join
from foregate.telemetry.journeys.skew import clock_of, correct
from foregate.wire.span import Span


def corrected(spans: list[Span]) -> Trace:
    trace = join(spans)
    correct(trace)
    return trace


def at(trace: Trace) -> dict[str, tuple[float, float]]:
    """Name → (start in ms, how much it was corrected in ms)."""
    return {node.span.name: ((node.start_ns - T0_NS) / MS, node.skew_ns / MS) for node in trace.nodes}


def test_what_fits_into_its_call_is_left_alone() -> None:
    trace = corrected([span("a", end_ms=50), *call("ask", "a", 10, 40, "stock")])
    assert all(node.skew_ns == 0 for node in trace.nodes)


def test_a_clock_ahead_is_set_to_the_middle_of_its_call_with_all_that_it_measured() -> None:
    ahead = 5_000.0
    spans = [
        span("a", end_ms=50),
        span("ask", "a", 10, 40, kind="client"),
        span("serve", "ask", 12 + ahead, 38 + ahead, kind="server", service="stock"),
        span("inside", "serve", 20 + ahead, 30 + ahead, service="stock"),
    ]
    for trace in (corrected(spans), corrected([*spans, *call("good", "a", 42, 48, "else")])):
        seen = at(trace)
        # half of the millisecond that an end may hang over
        assert abs(seen["serve"][0] - 12) <= 0.51
        assert abs(seen["serve"][1] - ahead) <= 0.51
        assert abs(seen["inside"][0] - seen["serve"][0] - 8) < 1e-6
        assert seen["a"] == (0, 0)


def test_several_calls_to_one_clock_find_its_error_together() -> None:
    behind = -700.0
    spans = [span("a", end_ms=100)]
    for number, (start, end) in enumerate(((10, 40), (50, 53), (60, 90))):
        spans += [
            span(f"ask{number}", "a", start, end, kind="client"),
            span(f"s{number}", f"ask{number}", start + 1 + behind, end - 1 + behind, kind="server", service="stock"),
        ]
    seen = at(corrected(spans))
    assert {round(seen[f"s{number}"][1], 3) for number in range(3)} == {seen["s0"][1]}
    assert abs(seen["s1"][1] - behind) <= 1.01


def test_who_did_not_wait_bounds_nothing_with_its_end() -> None:
    late = span("consume", "produce", 500, 700, kind="consumer", service="worker")
    trace = corrected([span("produce", kind="producer", end_ms=1), late])
    assert at(trace)["consume"] == (500, 0)


def test_one_machine_has_one_clock() -> None:
    trace = corrected([span("a", instance="h"), span("b", "a", -3, 5, service="other", instance="h")])
    assert at(trace)["b"] == (-3, 0)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 30), count=st.integers(2, 30))
def test_across_clocks_nothing_begins_before_it_was_asked_for_and_no_duration_changes(seed: int, count: int) -> None:
    trace = corrected(tree(random.Random(seed), count))
    for node in trace.nodes:
        assert node.end_ns - node.start_ns == node.span.end_ns - node.span.start_ns
        assert node.start_ns == node.span.start_ns - node.skew_ns
        if node.parent is None:
            assert node.skew_ns == 0
        elif clock_of(node) != clock_of(node.parent):
            assert node.start_ns >= node.parent.start_ns
        else:
            assert node.skew_ns == node.parent.skew_ns
        starts = [child.start_ns for child in node.children]
        assert starts == sorted(starts)
