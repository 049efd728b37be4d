"""The collector: from spans on the bus to kept journeys, each span and call once, whenever it is stopped."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.telemetry.journeys.making import T0_NS, call, span
from tests.telemetry.journeys.rig import KEEP_ALL, Rig
from tests.telemetry.making import T0, event

from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError
from foregate.telemetry.journeys import Query
from foregate.wire import TOPIC_SPANS
from foregate.wire.journey import JourneyAsk
from foregate.wire.span import Span
from foregate.wire.survey import Journeys

ASK = JourneyAsk("default", 0.0, 9e9)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, ManualClock(T0))
    yield made
    made.close()


def quiet(rig: Rig, seconds: float = 11) -> None:
    rig.drain()
    rig.clock.advance(seconds)  # type: ignore[attr-defined]
    rig.drain()


def trace(number: int, **changes: object) -> list[Span]:
    """A journey of four spans through two services."""
    made = [span("a", kind="server", end_ms=50), *call("ask", "a", 10, 40, "stock"), span("in", "a", 41, 45)]
    return [msgspec.structs.replace(one, trace_id=f"{number:032x}", **changes) for one in made]


def edges(rig: Rig) -> dict[tuple[str, str], int]:
    return {
        (edge.call.caller, edge.call.callee): edge.requests for edge in Query(rig.store).service_map("default", 0, 9e9)
    }


def test_spans_of_several_batches_partitions_and_the_gateways_event_become_one_journey(rig: Rig) -> None:
    request = event(time_s=T0_NS / 1e9 + 0.02, latency_ms=20.0)
    served = span("up", kind="server", service="payments", parent_id=request.span_id, trace_id=request.trace_id)
    rig.send([served], partition=1)
    rig.drain()
    rig.send_events([request], partition=3)
    rig.send([msgspec.structs.replace(span("db", "up", kind="client", peer="postgres"), trace_id=request.trace_id)])
    rig.drain()
    assert rig.store.search(ASK, 10).found == []
    quiet(rig)
    (found,) = rig.store.search(ASK, 10).found
    assert (found.service, found.route, found.spans, found.reason) == ("gateway", "/pay", 4, "rare")
    assert found.request_id == request.request_id
    journey = Query(rig.store).journey("default", request.trace_id)
    assert journey is not None
    assert [(row.depth, row.service, row.kind) for row in journey.rows] == [
        (0, "gateway", "server"),
        (1, "gateway", "client"),
        (2, "payments", "server"),
        (3, "shop", "client"),
    ]
    assert sum(part.duration_ms for part in journey.breakdown) == pytest.approx(found.duration_ms)


def test_journeys_are_found_by_whom_they_met_how_long_they_took_and_whether_they_failed(rig: Rig) -> None:
    rig.send(one for number in range(20) for one in trace(number, route=f"/r{number % 2}"))
    rig.send(trace(99, status="error", environment="aws"))
    quiet(rig)
    assert len(rig.store.search(ASK, 100).found) == 21
    for changes, count in (
        ({"service": "stock"}, 21), ({"service": "stock", "environment": "aws"}, 1), ({"environment": "aws"}, 1),
        ({"route": "/r1"}, 10), ({"failed": True}, 1), ({"duration_ms_min": 50.0}, 21), ({"duration_ms_min": 51.0}, 0),
        ({"service": "nobody"}, 0), ({"org": "other"}, 0), ({"until_s": T0_NS / 1e9}, 0),
    ):  # fmt: skip
        assert len(rig.store.search(msgspec.structs.replace(ASK, **changes), 100).found) == count, changes
    seen, cursor = [], ""
    while True:
        page = rig.store.search(ASK, 4, cursor)
        seen += [one.trace_id for one in page.found]
        if not (cursor := page.cursor):
            break
    assert len(seen) == len(set(seen)) == 21
    with pytest.raises(ForegateError, match="cursor"):
        rig.store.search(ASK, 4, "bm9uc2Vuc2U=")


def test_late_spans_join_a_kept_journey_and_are_counted_for_one_that_was_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ManualClock(T0), Journeys(share=0.0, rare_s=86_400))
    rig.send(trace(1)[:2])
    quiet(rig)
    rig.send(trace(2)[:2])
    quiet(rig)
    assert rig.store.counts() | {"kept_traces": 1, "dropped_traces": 1} == rig.store.counts()
    rig.send([*trace(1)[2:], *trace(2)[2:]])
    quiet(rig)
    (found,) = rig.store.search(ASK, 10).found
    assert (found.trace_id, found.spans) == (f"{1:032x}", 4)
    counts = rig.store.counts()
    assert (counts["late_kept_traces"], counts["late_dropped_spans"]) == (1, 2)
    assert counts["spans"] == counts["kept_spans"] + counts["dropped_spans"] + counts["late_dropped_spans"]
    rig.close()


def test_calls_are_counted_of_every_trace_also_of_those_that_are_not_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ManualClock(T0), Journeys(share=0.0))
    rig.send(one for number in range(300) for one in trace(number))
    quiet(rig)
    assert edges(rig) == {("", "shop"): 300, ("shop", "stock"): 300}
    assert len(rig.store.search(ASK, 500).found) == 1
    rig.close()


def test_whoever_begins_anew_reads_undecided_spans_again_and_decided_ones_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ManualClock(T0), Journeys(share=0.0, rare_s=86_400))
    rig.send([*trace(1)[:3], *trace(3)])
    rig.send(trace(2))
    rig.drain()
    rig.clock.advance(6)  # type: ignore[attr-defined]
    rig.send(trace(3)[:1])  # 3 is told on, while 1 and 2 are decided
    rig.drain()
    rig.clock.advance(6)  # type: ignore[attr-defined]
    rig.drain()
    assert rig.store.counts()["dropped_traces"] == 1
    assert rig.store.needed(TOPIC_SPANS)[0] < rig.store.offsets(TOPIC_SPANS)[0]
    rig.send(trace(1)[3:])  # late for the kept one, read and not decided
    rig.drain()
    rig.again()
    assert rig.collector.open_traces == 2
    quiet(rig)
    assert rig.store.needed(TOPIC_SPANS) == rig.store.offsets(TOPIC_SPANS)
    assert edges(rig) == {("", "shop"): 3, ("shop", "stock"): 3}
    kept = {one.trace_id: one.spans for one in rig.store.search(ASK, 10).found}
    assert kept == {f"{1:032x}": 4, f"{3:032x}": 4}  # what is rare has to be learned again
    rig.close()


def test_a_store_that_cannot_be_written_is_owed_what_was_decided(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.send(trace(1))
    rig.drain()
    rig.clock.advance(11)  # type: ignore[attr-defined]
    with monkeypatch.context() as broken:
        broken.setattr(rig.store, "write", _full)
        with pytest.raises(OSError, match="full"):
            rig.collector.step()
        with pytest.raises(OSError, match="full"):
            rig.collector.step()
    quiet(rig)
    assert len(rig.store.search(ASK, 10).found) == 1
    assert edges(rig) == {("", "shop"): 1, ("shop", "stock"): 1}


def _full(_step: object) -> None:
    raise OSError("the disk is full")


def test_bounds_of_spans_traces_and_age_are_kept_and_counted(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(KEEP_ALL, spans_per_trace_max=10, open_traces_max=100, age_s_max=30)
    rig = Rig(tmp_path, ManualClock(T0), settings)
    rig.send(span(f"s{number}", trace_id=f"{7:032x}", status="error" if number == 49 else "ok") for number in range(50))
    quiet(rig)
    (large,) = rig.store.search(ASK, 10).found
    assert (large.spans, large.truncated, large.reason) == (10, 40, "error")
    rig.send(one for number in range(1_000, 1_250) for one in trace(number))
    rig.drain()
    assert rig.collector.open_traces == 100
    assert rig.store.counts()["early_traces"] == 150
    quiet(rig)
    for second in range(0, 40, 5):  # never quiet
        rig.send([span(f"t{second}", trace_id=f"{9:032x}")])
        rig.drain()
        rig.clock.advance(5)  # type: ignore[attr-defined]
    assert rig.store.load("default", f"{9:032x}") is not None
    rig.close()


def test_traces_of_two_orgs_with_one_id_never_meet(rig: Rig) -> None:
    rig.send([*trace(1), *trace(1, org="other")[:1]])
    quiet(rig)
    assert [one.spans for one in rig.store.search(ASK, 10).found] == [4]
    assert [one.spans for one in rig.store.search(msgspec.structs.replace(ASK, org="other"), 10).found] == [1]


def test_hostile_times_and_batches_stop_nothing(rig: Rig) -> None:
    rig.send_events([event(time_s=float("nan"), trace_id=f"{5:032x}"), event(time_s=1e300), event(time_s=T0)])
    rig.send([span("a", start_ns=0, end_ns=(1 << 63) - 1, trace_id=f"{6:032x}"), *trace(1)])
    rig.send([span("a", start_ns=T0_NS + 2 * 86_400 * 10**9, trace_id=f"{8:032x}"), span("b", start_ns=-1)])
    rig._append(TOPIC_SPANS, 0, b"\xc1 no MessagePack", 3)
    quiet(rig)
    counts = rig.store.counts()
    assert counts["invalid"] == 7
    assert rig.store.load("default", f"{8:032x}") is None
    assert counts["kept_traces"] >= 3


def test_old_journeys_go_and_their_disk_is_free(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ManualClock(T0))
    for hour in range(4):
        noise = (
            msgspec.structs.replace(one, attributes={"x": f"{hash((number, hour, one.name)):x}" * 20})
            for number in range(300)
            for one in trace(
                number + hour * 1_000, start_ns=T0_NS + hour * 3_600 * 10**9, end_ns=T0_NS + hour * 3_600 * 10**9 + 1
            )
        )
        rig.send(noise)
        quiet(rig)
    full = rig.store.bytes_used
    assert rig.store.expire(T0 + 2 * 3_600 - 1) == 600
    assert rig.store.bytes_used < full * 0.7
    assert len(edges(rig)) == 2
    assert rig.store.trim(rig.store.bytes_used) == 0
    assert rig.store.trim(rig.store.bytes_used // 2) > 0
    rig.close()
    assert (tmp_path / "journeys.sqlite").stat().st_size < full * 0.6
