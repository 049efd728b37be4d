"""The shared numbers: own row, everybody's sum, no lost write."""

import subprocess
import sys

import pytest
from tests.ports.conftest import Adapter

_ADD = """
import sys
from pathlib import Path
from foregate.adapters.embedded.counters import open_counters
handle = open_counters(Path(sys.argv[1]), 3, 8, int(sys.argv[2]))
for _ in range(200_000):
    handle.add(5, 1.0)
"""


def test_all_cells_are_zero_at_first(adapter: Adapter) -> None:
    counters = adapter.open_counters(0)
    assert [counters.total(slot) for slot in range(counters.slots)] == [0.0] * 8


def test_a_worker_adds_to_its_own_row_and_sees_the_others(adapter: Adapter) -> None:
    first, second = adapter.open_counters(0), adapter.open_counters(1)
    first.add(2, 1.5)
    first.add(2, 1.0)
    second.add(2, 10.0)
    assert (first.total(2), first.others(2), second.others(2)) == (12.5, 10.0, 2.5)
    assert first.total(1) == 0.0


def test_a_gauge_is_set_not_added(adapter: Adapter) -> None:
    counters = adapter.open_counters(2)
    counters.put(0, 5.0)
    counters.put(0, 3.0)
    assert counters.total(0) == 3.0


@pytest.mark.parametrize("slot", [-1, 8])
def test_a_slot_outside_the_table_is_refused(adapter: Adapter, slot: int) -> None:
    counters = adapter.open_counters(1)
    for action in (lambda: counters.add(slot, 1.0), lambda: counters.put(slot, 1.0), lambda: counters.total(slot)):
        with pytest.raises(IndexError):
            action()


def test_values_outlive_their_worker_and_processes_lose_no_write(adapter: Adapter) -> None:
    counters = adapter.open_counters(2)
    path = counters.path
    workers = [subprocess.Popen([sys.executable, "-c", _ADD, str(path), str(number)]) for number in (0, 1)]
    for _ in range(200_000):
        counters.add(5, 1.0)
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert counters.total(5) == 600_000.0
