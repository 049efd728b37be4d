"""Open traces stay within their bounds, and the table knows from where their spans would have to be read again."""

import tracemalloc

from tests.telemetry.journeys.making import span

from foregate.telemetry.journeys.open import OpenTraces
from foregate.wire.survey import Journeys


def test_beyond_the_bound_of_bytes_the_quietest_are_decided_early_and_counted() -> None:
    traces = OpenTraces(Journeys(open_bytes_max=1_048_576))
    large = span("a", attributes={"x": "y" * 100_000})
    for number in range(30):
        traces.begin(("default", f"{number}"), 1, float(number) / 100)
        traces.add(("default", f"{number}"), large, float(number) / 100)
    traces.add(("default", "0"), span("b"), 1.0)  # no longer the quietest
    due = traces.due(1.0, 1_000)
    assert (len(due), traces.early) == (20, 20)
    assert [trace.key[1] for trace in due] == [f"{number}" for number in range(1, 21)]
    assert traces.bytes <= 1_048_576
    assert len(traces.due(100.0, 1_000)) == 10
    assert (len(traces), traces.bytes, traces.early) == (0, 0, 20)


def test_the_oldest_step_is_that_of_the_oldest_trace_that_is_open() -> None:
    traces = OpenTraces(Journeys(quiet_s=10, age_s_max=50))
    for step in (3, 4, 7):
        traces.begin(("default", f"{step}"), step, 0.0)
        traces.add(("default", f"{step}"), span("a"), 0.0)
    assert traces.oldest_step == 3
    traces.add(("default", "7"), span("b"), 15.0)
    assert [trace.step for trace in traces.due(15.0, 1_000)] == [3, 4]
    assert traces.oldest_step == 7
    traces.add(("default", "7"), span("c"), 51.0)  # never quiet, but old
    assert [len(trace.spans()) for trace in traces.due(51.0, 1_000)] == [3]
    assert traces.oldest_step is None


def test_of_quiet_traces_so_many_are_due_at_a_time_but_what_is_too_much_goes_at_once() -> None:
    traces = OpenTraces(Journeys(open_traces_max=100, quiet_s=10))
    for number in range(250):
        traces.begin(("default", f"{number}"), 1, 0.0)
        traces.add(("default", f"{number}"), span("a"), 0.0)
    assert (len(traces.due(1.0, 10)), traces.early) == (150, 150)
    assert [len(traces.due(20.0, 40)) for _ in range(4)] == [40, 40, 20, 0]
    assert (len(traces), traces.bytes) == (0, 0)


def test_the_bytes_of_what_is_open_are_those_that_it_takes() -> None:
    traces = OpenTraces(Journeys())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(5_000):
        key = "default", f"{number:032x}"
        traces.begin(key, 1, 0.0)
        for each in range(2):
            traces.add(key, span(f"{number:012x}-{each}", attributes={"url.path": f"/orders/{number}" * 3}), 0.0)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 0.8 < traces.bytes / taken < 1.25
