"""A table that forgets: bounded, and never of what was used last."""

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.lately import Lately


@given(st.integers(2, 20), st.lists(st.integers(0, 30), max_size=200))
def test_it_never_holds_more_than_its_size_and_knows_what_was_used_last(size: int, asked: list[int]) -> None:
    table: Lately[int, str] = Lately(size)
    used: list[int] = []  # the last one first, each once
    for key in asked:
        found = table.get(key)
        assert found == str(key) if key in used[: size // 2] else found in (None, str(key))
        if found is None:
            table.put(key, str(key))
        used = [key, *(other for other in used if other != key)]
        assert len(table) <= size


def test_what_nobody_asks_for_is_forgotten() -> None:
    table: Lately[int, int] = Lately(10)
    for key in range(1, 100):
        table.put(key, key)
    assert table.get(1) is None
    assert table.get(99) == 99
