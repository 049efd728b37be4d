"""Single events: the newest ones, and a tail that never falls behind for good."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.telemetry.making import T0, event
from tests.telemetry.world import Stores

from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError
from foregate.telemetry.query import EventTail, recent_events
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path, ManualClock(T0))
    yield stores
    stores.close()


def numbered(*numbers: int) -> list[RequestEvent]:
    return [event(time_s=T0 + number, request_id=str(number)) for number in numbers]


def ids(events: list[RequestEvent]) -> list[int]:
    return [int(one.request_id) for one in events]


def test_recent_events_come_newest_first_from_all_partitions(stores: Stores) -> None:
    for number in range(200):
        stores.publish(numbered(number), partition=number % 4)
    assert ids(recent_events(stores.bus, 50)) == list(range(199, 149, -1))
    assert ids(recent_events(stores.bus, 1_000)) == list(range(199, -1, -1))


def test_recent_events_of_an_empty_bus_are_none(stores: Stores) -> None:
    assert recent_events(stores.bus, 10) == []


def test_recent_events_stop_where_older_ones_have_expired(stores: Stores) -> None:
    for number in range(50):
        stores.clock.advance(1)  # type: ignore[attr-defined]
        stores.publish(numbered(number))
    stores.bus.expire(TOPIC_EVENTS, stores.clock.now() - 9)
    assert ids(recent_events(stores.bus, 100)) == list(range(49, 39, -1))


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_a_limit_out_of_bounds_is_refused(stores: Stores, limit: int) -> None:
    with pytest.raises(ForegateError, match="between 1 and 1000"):
        recent_events(stores.bus, limit)


def test_a_batch_that_cannot_be_read_hides_no_other(stores: Stores) -> None:
    stores.publish(numbered(1))
    stores.publish_raw(b"junk", 3)
    stores.publish(numbered(2))
    assert ids(recent_events(stores.bus, 10)) == [2, 1]


def test_a_tail_begins_at_the_end_and_gives_each_event_once_oldest_first(stores: Stores) -> None:
    stores.publish(numbered(0))
    tail = EventTail(stores.bus)
    assert tail.read(10) == []
    stores.publish(numbered(2), partition=1)
    stores.publish(numbered(1), partition=3)
    assert ids(tail.read(10)) == [1, 2]
    assert tail.read(10) == []
    stores.publish(numbered(3), partition=3)
    assert ids(tail.read(10)) == [3]


def test_a_slow_tail_skips_ahead_and_says_so(stores: Stores) -> None:
    tail = EventTail(stores.bus)
    for number in range(100):
        stores.publish(numbered(number))
    assert ids(tail.read(5)) == [95, 96, 97, 98, 99]
    assert tail.skipped == 68
    assert tail.read(5) == []
