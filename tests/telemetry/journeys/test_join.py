"""The spans of a trace become one forest, whatever has come and in whatever order."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry.journeys.making import span, span_id, tree

from foregate.telemetry.journeys.from_event import attempt_id
from foregate.telemetry.journeys.join import Trace, join


def drawn(trace: Trace) -> list[tuple[int, str]]:
    return [(depth, node.span.name) for node, depth in trace.walk()]


def test_parents_stand_before_their_children_and_siblings_by_their_start() -> None:
    trace = join([span("c", "a", 6), span("d", "b", 3), span("b", "a", 2), span("a")])
    assert drawn(trace) == [(0, "a"), (1, "b"), (2, "d"), (1, "c")]
    assert (trace.root.span.name, trace.missing_parents, trace.duplicates, trace.cycles) == ("a", 0, 0, 0)


def test_a_span_without_its_parent_is_a_root_that_says_so_and_does_not_give_the_journey_its_name() -> None:
    trace = join([span("orphan", "never-seen", -5), span("a"), span("b", "a", 1)])
    assert drawn(trace) == [(0, "orphan"), (0, "a"), (1, "b")]
    assert (trace.root.span.name, trace.missing_parents) == ("a", 1)


def test_a_span_that_comes_twice_counts_once_and_the_one_that_says_more_is_taken() -> None:
    more = span("a", attributes={"x": "1"})
    trace = join([span("a"), more, span("a"), span("b", "a")])
    assert (len(trace.nodes), trace.duplicates, trace.root.span) == (2, 2, more)


def test_a_server_that_shares_its_clients_span_id_stands_below_it_with_the_children() -> None:
    client = span("x", kind="client", name="ask")
    server = span("x", kind="server", name="serve", service="other", start_ms=1, end_ms=9)
    assert drawn(join([span("y", "x"), server, client])) == [(0, "ask"), (1, "serve"), (2, "y")]


def test_spans_that_are_each_others_parents_are_cut_apart_at_the_earliest() -> None:
    trace = join([span("a", "c", 0), span("b", "a", 1), span("c", "b", 2), span("self", "self", 3)])
    assert drawn(trace) == [(0, "a"), (1, "b"), (2, "c"), (0, "self")]
    assert trace.cycles == 1


def test_who_the_gateway_asked_stands_below_its_attempt() -> None:
    server = span("gw", kind="server", service="gateway", source="gateway")
    attempt = span("at", "gw", 1, 9, kind="client", service="gateway", source="gateway")
    attempt = msgspec.structs.replace(attempt, span_id=attempt_id(span_id("gw")))
    upstream = span("up", "gw", 2, 8, kind="server", service="orders")
    assert drawn(join([upstream, server, attempt])) == [(0, "gw"), (1, "at"), (2, "up")]
    assert drawn(join([upstream, server])) == [(0, "gw"), (1, "up")]


def test_no_spans_are_no_trace() -> None:
    with pytest.raises(ValueError, match="at least one"):
        join([])


def test_a_chain_of_many_thousand_spans_is_no_deep_recursion() -> None:
    chain = [span(f"s{n}", f"s{n - 1}" if n else "", n / 1000) for n in range(10_000)]
    trace = join(chain)
    assert max(depth for _, depth in trace.walk()) == len({one.span_id for one in chain}) - 1


@settings(derandomize=True, max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 30), count=st.integers(1, 40), lost=st.sampled_from((0.0, 0.3, 0.8)))
def test_every_span_is_in_the_forest_once_whatever_was_lost_and_no_order_changes_it(
    seed: int, count: int, lost: float
) -> None:
    chance = random.Random(seed)
    spans = tree(chance, count, lost=lost) or [span("only")]
    for _ in range(chance.randrange(4)):  # links that cannot be: to anyone, themselves included
        at = chance.randrange(len(spans))
        spans[at] = msgspec.structs.replace(spans[at], parent_id=chance.choice(spans).span_id)
    spans += [chance.choice(spans) for _ in range(chance.randrange(5))]
    first = join(spans)
    walked = [node for node, _ in first.walk()]
    assert sorted(node.span.span_id for node in walked) == sorted({one.span_id for one in spans})
    assert len(walked) == len(first.nodes) == len(spans) - first.duplicates
    chance.shuffle(spans)
    assert drawn(join(spans)) == drawn(first)
