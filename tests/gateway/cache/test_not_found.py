"""Paths that were not found: answered without the service only while that is certainly what it has just said."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ports.cache_world import SETTINGS, Worker, key

from foregate.gateway.cache.not_found import DEPTH_MAX, NotFoundPaths
from foregate.kernel.clock import ManualClock
from foregate.ports.cache import Key
from foregate.wire.cache import NotFoundFilter

FILTER = NotFoundFilter(times=2, period_s=30.0, paths_max=1_000, known_max=100, false_positive_share=0.001)


class World:
    """Two workers on one machine."""

    def __init__(self, folder: Path, settings: NotFoundFilter = FILTER) -> None:
        self.clock = ManualClock()
        self.workers = [Worker(folder, number, SETTINGS, self.clock) for number in range(2)]
        self.paths, self.others = (NotFoundPaths(settings, each.store, self.clock, b"s") for each in self.workers)

    def missing(self, one: Key, times: int = 1) -> None:
        for _ in range(times):
            self.paths.missing(one, self.paths.stamp(one))

    def close(self) -> None:
        for worker in self.workers:
            worker.store.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_path_is_known_after_so_many_404(tmp_path: Path, times: int) -> None:
    world = World(tmp_path, msgspec.structs.replace(FILTER, times=times))
    for _ in range(times):
        assert not world.paths.known(key())
        world.missing(key())
    assert world.paths.known(key())
    assert world.paths.answered == 1
    assert not world.paths.known(key("/a?x=1"))
    assert not world.paths.known(key(org="globex"))
    world.close()


def test_it_is_asked_for_again_after_the_period_however_often_it_was_answered(world: World) -> None:
    world.missing(key(), 2)
    world.clock.advance(29.9)
    assert world.paths.known(key())
    world.clock.advance(0.1)
    assert not world.paths.known(key())
    world.missing(key())
    assert world.paths.known(key())


def test_what_is_found_is_forgotten(world: World) -> None:
    world.missing(key(), 2)
    world.paths.found(key())
    assert not world.paths.known(key())


@pytest.mark.parametrize("written", ["/orders/7", "/orders", "/orders/", "/orders?x=1", "/"])
def test_a_write_there_or_above_through_any_worker_and_organisation_makes_it_unknown(
    world: World, written: str
) -> None:
    gone, left = key("/orders/7"), key("/carts/7")
    world.missing(gone, 2)
    world.missing(left, 2)
    world.others.written(key(written, org="globex"))
    assert not world.paths.known(gone)
    assert world.paths.known(left) == (written != "/")


@pytest.mark.parametrize("written", ["/orders/7/items", "/orders/77", "/order", "/carts"])
def test_a_write_elsewhere_does_not(world: World, written: str) -> None:
    world.missing(key("/orders/7"), 2)
    world.others.written(key(written))
    world.others.written(key("/orders", host="other.test"))
    assert world.paths.known(key("/orders/7"))


def test_a_404_that_was_asked_for_before_a_write_does_not_count(world: World) -> None:
    world.missing(key())
    stamp = world.paths.stamp(key())
    world.others.written(key())
    world.paths.missing(key(), stamp)
    assert not world.paths.known(key())


def test_a_purge_and_another_configuration_empty_it(world: World) -> None:
    for empty in (lambda: world.workers[1].store.purge("tag", "anything"), lambda: world.paths.configure(FILTER)):
        world.missing(key(), 2)
        assert world.paths.known(key())
        empty()
        assert not world.paths.known(key())
        world.missing(key())
        assert not world.paths.known(key())
        assert (world.paths.remembered, world.paths.entries) == (1, 0)


def test_a_scan_costs_no_entries_and_stays_within_its_bounds(world: World) -> None:
    world.missing(key(), 2)
    for number in range(20_000):
        world.missing(key(f"/scan/{number}"))
        assert world.paths.remembered <= FILTER.paths_max
    assert world.paths.entries < 1 + 20_000 * FILTER.false_positive_share * 3
    assert 0.0 < world.paths.false_positive_share <= FILTER.false_positive_share * 1.2
    assert world.paths.known(key())


def test_of_more_paths_than_it_may_know_the_oldest_go(world: World) -> None:
    for number in range(200):
        world.missing(key(f"/{number}"), 2)
    assert world.paths.entries == FILTER.known_max
    assert [world.paths.known(key(f"/{number}")) for number in (0, 99, 100, 199)] == [False, False, True, True]


def test_a_path_that_is_too_deep_is_never_known(world: World) -> None:
    deep = key("/x" * (DEPTH_MAX + 1))
    world.missing(deep, 5)
    assert not world.paths.known(deep)
    world.missing(key("/x" * DEPTH_MAX), 2)
    assert world.paths.known(key("/x" * DEPTH_MAX))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_no_path_is_answered_that_the_service_has_not_said_404_of_even_when_the_filter_lies(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """The filter is made so small that most of what it says is false."""
    lying = msgspec.structs.replace(FILTER, paths_max=1_000, false_positive_share=0.1, known_max=1_000)
    world = World(tmp_path_factory.mktemp("lying"), lying)
    rng = random.Random(seed)
    there = {f"/{number}": rng.random() < 0.5 for number in range(50)}
    said: dict[str, int] = dict.fromkeys(there, 0)
    for _ in range(400):
        url = rng.choice(list(there))
        step = rng.random()
        if step < 0.05:  # created or deleted through the gateway
            there[url] = not there[url]
            world.others.written(key(url))
            said[url] = 0
        elif world.paths.known(key(url)):
            assert not there[url]
            assert said[url] >= 1
        elif there[url]:
            world.paths.found(key(url))
        else:
            said[url] += 1
            world.missing(key(url))
    world.close()
