"""Every call between services counts once, as its caller felt it."""

from tests.telemetry.journeys.making import T0_NS, call, span
from tests.telemetry.making import event

from foregate.telemetry.journeys.from_event import spans_of
from foregate.telemetry.journeys.join import join
from foregate.telemetry.journeys.service_map import CALLS_MAX, OTHERS, Minutes, calls, edges
from foregate.wire.span import Span


def seen(spans: list[Span]) -> dict[tuple[str, str, str], tuple[float, bool]]:
    return {
        (one.call.caller, one.call.callee, one.call.callee_environment): (round(one.duration_ms, 3), one.failed)
        for one in calls(join(spans))
    }


def test_calls_come_from_roots_that_serve_from_parents_of_others_and_from_peers_that_are_silent() -> None:
    spans = [
        span("a", kind="server", end_ms=100),
        *call("ask", "a", 10, 50, "stock", environment="aws", status="error"),
        span("sql", "a", 60, 90, kind="client", peer="postgres"),
        span("work", "a", 91, 95),
    ]
    assert seen(spans) == {
        ("", "shop", "production"): (100, False),
        ("shop", "stock", "aws"): (40, True),
        ("shop", "postgres", ""): (30, False),
    }


def test_a_gateways_event_is_a_call_from_outside_and_one_to_its_service() -> None:
    spans = spans_of(event(latency_ms=20.0, first_byte_ms=19.0, upstream_ms=15.0, parent_span_id="f" * 16))
    assert [one.kind for one in spans] == ["server", "client"]
    assert seen(spans) == {("", "gateway", "production"): (20, False), ("gateway", "payments", ""): (16, False)}
    refused = spans_of(event(attempts=0, status=429, error="rate_limited"))
    assert [one.kind for one in refused] == ["server"]
    assert not refused[0].failed


def test_minutes_merge_and_edges_give_rates() -> None:
    minutes = Minutes()
    for number in range(100):
        ask = call("ask", "a", 1, 11 + number, "stock", status="error" if number < 5 else "ok")
        minutes.add(calls(join([span("a", end_ms=200), *ask])))
    taken = minutes.take()
    assert not minutes.take()
    (edge,) = edges([*taken, *taken], 100.0)
    assert (edge.requests, edge.errors, edge.rps, edge.error_rate) == (200, 10, 2.0, 0.05)
    assert abs(edge.p50_ms - 59) <= 0.6
    assert {minute.start_s for minute in taken} == {T0_NS // 60_000_000_000 * 60}


def test_the_ids_of_an_event_make_the_upstreams_span_a_child_of_the_attempt() -> None:
    request = event()
    upstream = span("up", kind="server", service="payments", trace_id=request.trace_id, parent_id=request.span_id)
    trace = join([upstream, *spans_of(request)])
    assert [(depth, node.span.kind) for node, depth in trace.walk()] == [(0, "server"), (1, "client"), (2, "server")]
    assert seen([upstream, *spans_of(request)])[("gateway", "payments", "production")][1] is False


def test_an_event_ends_at_its_time_and_otlp_sends_its_spans_itself() -> None:
    server, client = spans_of(event(time_s=1_000.0, latency_ms=500.0, first_byte_ms=450.0, upstream_ms=400.0))
    assert (server.start_ns, server.end_ns) == (999_500_000_000, 1_000_000_000_000)
    assert (client.start_ns, client.end_ns) == (999_550_000_000, 1_000_000_000_000)
    assert spans_of(event(source="otlp")) == []
    assert spans_of(event(trace_id="")) == []
    assert [one.service for one in spans_of(event(source="telemetry"))] == ["payments"]


def test_calls_of_names_that_never_end_are_counted_together_beyond_the_bound() -> None:
    minutes = Minutes()
    for first in (0, 600):
        for number in range(first, first + 600):
            minutes.add(calls(join([span("a", kind="client", peer=f"10.0.{number}", start_ns=T0_NS)])))
        found = minutes.take()
    assert len(found) == CALLS_MAX - 600 + 1
    assert next(one.requests for one in found if one.call.callee == OTHERS) == 200
    minutes.add(calls(join([span("a", kind="client", peer="10.0.1")])))
    assert [one.call.callee for one in minutes.take()] == ["10.0.1"]
