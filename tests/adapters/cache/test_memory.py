"""The table in memory: within its bytes, near what theory allows, and not to be emptied by a scan."""

import itertools
import random
from bisect import bisect
from collections import OrderedDict
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.adapters.embedded.cache.memory import USES_MAX, Memory

ITEMS = 10_000
ASKED = 100_000
UNIT = 10  # bytes of an item; a tenth of the bound must be whole items


class Item:
    __slots__ = ("main", "size", "uses")

    def __init__(self, size: int = UNIT) -> None:
        self.size = size
        self.uses = 0
        self.main = False


def zipf(seed: int, skew: float = 1.0) -> tuple[list[bytes], list[float]]:
    """(what is asked for, the share of requests that the most popular 1, 2, … items get)."""
    rng = random.Random(seed)
    weights = list(itertools.accumulate(1 / rank**skew for rank in range(1, ITEMS + 1)))
    asked = [b"%d" % bisect(weights, rng.random() * weights[-1]) for _ in range(ASKED)]
    return asked, [weight / weights[-1] for weight in weights]


def hits(asked: Sequence[bytes], memory: Memory[Item]) -> list[bool]:
    """Whether each was there; what was not is put."""
    found = []
    for name in asked:
        item = memory.find(name)
        found.append(item is not None)
        if item is None:
            memory.put(name, Item())
        elif item.uses < USES_MAX:
            item.uses += 1
    return found


def lru_hits(asked: Sequence[bytes], items_max: int) -> list[bool]:
    table: OrderedDict[bytes, None] = OrderedDict()
    found = []
    for name in asked:
        found.append(name in table)
        table[name] = None
        table.move_to_end(name)
        if len(table) > items_max:
            table.popitem(last=False)
    return found


@pytest.mark.parametrize("items_max", [100, 500, 1_000, 2_000])
def test_on_a_zipf_trace_it_comes_near_the_best_there_is_and_beats_lru(items_max: int) -> None:
    asked, best = zipf(seed=1)
    warm = ASKED // 4
    ratio = sum(hits(asked, Memory(items_max * UNIT))[warm:]) / (ASKED - warm)
    lru = sum(lru_hits(asked, items_max)[warm:]) / (ASKED - warm)
    assert ratio > lru + 0.02
    assert ratio > 0.94 * best[items_max - 1]  # of the most popular ones always being there


@pytest.mark.parametrize("items_max", [500, 1_000])
def test_scans_take_nothing_from_what_is_asked_for_again(items_max: int) -> None:
    asked, _ = zipf(seed=2)
    mixed, wanted = list[bytes](), list[bool]()
    for at, name in enumerate(asked):
        mixed.append(name)
        wanted.append(True)
        if at % 5_000 == 4_999:
            mixed += [b"scan-%d-%d" % (at, number) for number in range(2 * items_max)]
            wanted += [False] * 2 * items_max

    def ratio(found: Callable[[Sequence[bytes]], list[bool]]) -> float:
        return sum(hit for hit, counts in zip(found(mixed), wanted, strict=True) if counts) / ASKED

    alone = sum(hits(asked, Memory(items_max * UNIT))) / ASKED
    scanned = ratio(lambda trace: hits(trace, Memory(items_max * UNIT)))
    assert scanned > alone - 0.02
    assert scanned > ratio(lambda trace: lru_hits(trace, items_max)) + 0.05


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.integers(min_value=100, max_value=2_000),
    st.lists(
        st.tuples(st.sampled_from(["put", "use", "remove", "resize"]), st.integers(0, 30), st.integers(1, 400)),
        max_size=200,
    ),
)
def test_whatever_happens_it_stays_within_its_bytes_and_counts_them(
    bytes_max: int, steps: list[tuple[str, int, int]]
) -> None:
    memory: Memory[Item] = Memory(bytes_max)
    for what, number, size in steps:
        name = b"%d" % number
        if what == "put":
            item = Item(size)
            assert memory.put(name, item) == (size <= memory.largest)
            assert memory.find(name) in ((item, None) if size <= memory.largest else (None,))
        elif what == "use":
            found = memory.find(name)
            if found is not None and found.uses < USES_MAX:
                found.uses += 1
        elif what == "remove":
            memory.remove(name)
            assert memory.find(name) is None
        else:
            memory.resize(size * 5)
        there = [found for each in range(31) if (found := memory.find(b"%d" % each)) is not None]
        assert memory.bytes_used == sum(item.size for item in there) <= memory.bytes_max
        assert len(memory) == len(there)


def test_what_is_asked_for_while_it_is_new_outlives_a_scan() -> None:
    memory: Memory[Item] = Memory(100 * UNIT)
    for name in (b"used", b"unused"):
        memory.put(name, Item())
    found = memory.find(b"used")
    assert found is not None
    found.uses += 1
    for number in range(1_000):
        memory.put(b"%d" % number, Item())
    assert memory.find(b"used") is not None
    assert memory.find(b"unused") is None


def test_what_was_pushed_out_unused_and_is_asked_for_again_stays() -> None:
    memory: Memory[Item] = Memory(100 * UNIT)
    memory.put(b"again", Item())
    for number in range(105):
        memory.put(b"%d" % number, Item())
    assert memory.find(b"again") is None
    memory.put(b"again", Item())
    for number in range(1_000, 1_080):
        memory.put(b"%d" % number, Item())
    assert memory.find(b"again") is not None
