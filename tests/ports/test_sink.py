"""The sink: what it took is safe, what it could not take is counted."""

from tests.ports.conftest import Adapter
from tests.telemetry.making import event

from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent, decode_events


def on_the_bus(adapter: Adapter) -> list[RequestEvent]:
    bus = adapter.open_bus()
    return [
        one
        for partition in range(bus.partitions)
        for batch in bus.read(TOPIC_EVENTS, partition, -1, 10_000)
        for one in decode_events(batch.payload)
    ]


def test_events_reach_the_bus_unchanged_and_in_order(adapter: Adapter) -> None:
    sink, courier, bus = adapter.open_sink(), adapter.open_courier(), adapter.open_bus()
    events = [event(request_id=str(n), route="/ü" * n) for n in range(100)]
    assert all(sink.put(one) for one in events)
    assert courier.move(bus) == 100
    assert on_the_bus(adapter) == events


def test_nothing_is_sent_twice(adapter: Adapter) -> None:
    sink, courier, bus = adapter.open_sink(), adapter.open_courier(), adapter.open_bus()
    sink.put(event())
    assert [courier.move(bus), courier.move(bus)] == [1, 0]
    sink.put(event(request_id="2"))
    assert courier.move(bus) == 1
    assert len(on_the_bus(adapter)) == 2


def test_events_of_a_sink_that_ended_are_moved_too(adapter: Adapter) -> None:
    first = adapter.open_sink()
    first.put(event(request_id="left behind"))
    first.close()
    second, courier, bus = adapter.open_sink(), adapter.open_courier(), adapter.open_bus()
    second.put(event(request_id="new"))
    assert courier.move(bus) == 2
    assert {one.request_id for one in on_the_bus(adapter)} == {"left behind", "new"}


def test_an_event_that_is_too_large_is_cut_not_lost(adapter: Adapter) -> None:
    sink, courier, bus = adapter.open_sink(), adapter.open_courier(), adapter.open_bus()
    assert sink.put(event(route="/€" * 50_000))
    courier.move(bus)
    (found,) = on_the_bus(adapter)
    assert found.route == ("/€" * 50_000)[:256]
    assert found.status == 200
