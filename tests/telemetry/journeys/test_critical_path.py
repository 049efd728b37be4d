"""The critical path explains every moment of a journey once, and the breakdown adds it up."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry.journeys.making import MS, T0_NS, call, span, tree

from foregate.telemetry.journeys.breakdown import breakdown
from foregate.telemetry.journeys.critical_path import critical_path
from foregate.telemetry.journeys.join import join
from foregate.telemetry.journeys.skew import correct
from foregate.wire.span import Span


def path(spans: list[Span]) -> list[tuple[str, float, float]]:
    pieces = critical_path(join(spans).root)
    return [(p.node.span.name, (p.start_ns - T0_NS) / MS, (p.end_ns - T0_NS) / MS) for p in pieces]


def test_what_runs_in_sequence_is_all_on_the_path() -> None:
    spans = [span("a", end_ms=100), span("b", "a", 10, 40), span("c", "a", 50, 90)]
    assert path(spans) == [("a", 0, 10), ("b", 10, 40), ("a", 40, 50), ("c", 50, 90), ("a", 90, 100)]


def test_of_what_runs_at_once_only_the_last_to_end_was_waited_for() -> None:
    spans = [span("a", end_ms=100), span("short", "a", 10, 40), span("long", "a", 10, 90), span("in", "long", 20, 60)]
    assert path(spans) == [("a", 0, 10), ("long", 10, 20), ("in", 20, 60), ("long", 60, 90), ("a", 90, 100)]


def test_a_child_that_outlives_its_parent_counts_to_the_parents_end() -> None:
    assert path([span("a", end_ms=50), span("b", "a", 40, 500)]) == [("a", 0, 40), ("b", 40, 50)]
    assert path([span("a", end_ms=0)]) == []


def test_time_goes_to_services_networks_and_peers_that_are_not_seen() -> None:
    spans = [
        span("a", end_ms=100),
        *call("ask", "a", 10, 50, "stock"),
        span("sql", "a", 60, 90, kind="client", peer="postgres"),
    ]
    parts = {(part.kind, part.service): part.duration_ms for part in breakdown(critical_path(join(spans).root))}
    assert parts == {
        ("service", "shop"): 30,
        ("service", "stock"): 36,
        ("network", "stock"): 4,
        ("external", "postgres"): 30,
    }


def test_a_chain_of_many_thousand_spans_has_a_path() -> None:
    spans = [span(f"{n:x}", f"{n - 1:x}" if n else "", n / 1000, 100) for n in range(10_000)]
    assert len(path(spans)) == 10_000


@settings(derandomize=True, max_examples=200, deadline=None)
@given(seed=st.integers(0, 1 << 30), count=st.integers(1, 40))
def test_the_pieces_follow_one_another_from_the_roots_start_to_its_end(seed: int, count: int) -> None:
    trace = join(tree(random.Random(seed), count))
    correct(trace)
    root = trace.root
    pieces = critical_path(root)
    at_ns = root.start_ns
    for piece in pieces:
        assert piece.start_ns == at_ns
        assert piece.end_ns > piece.start_ns
        at_ns = piece.end_ns
    assert at_ns == root.end_ns
    parts = breakdown(pieces)
    assert sum(part.duration_ms for part in parts) == pytest.approx((root.end_ns - root.start_ns) / 1e6)
    assert sum(part.share for part in parts) == pytest.approx(1.0 if parts else 0.0)
