"""Parts of a batch: every event once, in its order, with the others of its service."""

from pathlib import Path

import msgspec
from tests.telemetry.making import event

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.courier import Courier
from foregate.adapters.embedded.parting import parted
from foregate.adapters.embedded.spool import Spool
from foregate.kernel.clock import ManualClock
from foregate.wire import TOPIC_EVENTS, partition_of
from foregate.wire.event import decode_events

EVENTS = [event(request_id=str(n), service=f"service{n % 7}", org=f"org{n % 2}") for n in range(200)]


def test_each_part_holds_the_events_of_its_services_in_their_order() -> None:
    parts = parted(msgspec.msgpack.encode(EVENTS), 4)
    assert len(parts) > 1
    for partition, part in parts.items():
        wanted = [one for one in EVENTS if partition_of(one.org, one.service, 4) == partition]
        assert (decode_events(part.payload), part.items) == (wanted, len(wanted))
    assert sum(part.items for part in parts.values()) == len(EVENTS)


def test_a_courier_that_parts_moves_everything_once(tmp_path: Path) -> None:
    spool, bus = Spool(tmp_path / "spool" / "w1"), EmbeddedBus(tmp_path / "bus.sqlite", ManualClock())
    courier = Courier(tmp_path / "spool", by_service=True)
    for half in (EVENTS[:100], EVENTS[100:]):
        assert all(spool.put(one) for one in half)
        assert courier.move(bus) == 100
    assert courier.move(bus) == 0
    for partition in range(bus.partitions):
        found = [one for batch in bus.read(TOPIC_EVENTS, partition, -1, 100) for one in decode_events(batch.payload)]
        assert found == [one for one in EVENTS if partition_of(one.org, one.service, 4) == partition]
    assert bus.appended(TOPIC_EVENTS) == 200
    for handle in (spool, courier, bus):
        handle.close()
