"""A reader of several partitions: all batches in their order, within the bound of a step, each read once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.telemetry.making import T0, event
from tests.telemetry.world import Stores

from foregate.kernel.clock import ManualClock
from foregate.ports.bus import Batch
from foregate.telemetry import reading
from foregate.telemetry.reading import Reading
from foregate.wire import TOPIC_EVENTS


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path, ManualClock(T0))
    yield stores
    stores.close()


def test_a_backlog_is_read_within_the_bound_of_a_step_and_each_batch_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ITEMS_MAX", 100)
    for number in range(60):
        stores.publish([event()] * (150 if number == 7 else 30), partition=number % 3 % 2)
        stores.clock.advance(1.0)  # type: ignore[attr-defined]
    asked: list[tuple[int, int]] = []
    read = stores.bus.read

    def counted(topic: str, partition: int, after: int, batches_max: int) -> list[Batch]:
        found = read(topic, partition, after, batches_max)
        asked.extend((batch.partition, batch.offset) for batch in found)
        return found

    monkeypatch.setattr(stores.bus, "read", counted)
    following = Reading(stores.bus, TOPIC_EVENTS, {})
    given: list[Batch] = []
    while not following.caught_up:
        step = following.next(4)
        assert len(step) == 1 or sum(batch.items for batch in step) <= 100
        assert following.move_on(step) == 0
        given += step
    assert [batch.time_s for batch in given] == [T0 + number for number in range(60)]
    assert len(set(asked)) == len(asked) == 60
