"""A change of a file counts once it has come to rest; a file that is gone or empty is about to be written."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from foregate.app.watch import Settled, Stamp, stamp

FILE, OTHER = Path("a"), Path("b")
OLD, NEW, NEWER = (1, 10, 5), (1, 20, 5), (2, 20, 6)


def looks(settled: Settled, *seen: Stamp | None) -> list[bool]:
    return [settled.look({FILE: each}) for each in seen]


def test_a_change_counts_at_the_second_look_that_sees_the_same() -> None:
    assert looks(Settled({FILE: OLD}), OLD, NEW, NEW, NEW) == [False, False, True, False]


def test_a_file_that_is_still_being_written_does_not_count() -> None:
    assert looks(Settled({FILE: OLD}), NEW, NEWER, NEWER) == [False, False, True]


def test_a_file_that_is_gone_or_empty_is_no_change() -> None:
    assert looks(Settled({FILE: OLD}), None, None, (9, 9, 0), (9, 9, 0), OLD) == [False] * 5


def test_a_file_that_comes_back_as_it_was_is_no_change() -> None:
    assert looks(Settled({FILE: OLD}), NEW, OLD, NEW, NEW) == [False, False, False, True]


def test_a_file_that_is_looked_at_less_often_is_noticed_too() -> None:
    settled = Settled({FILE: OLD, OTHER: OLD})
    assert not settled.look({FILE: OLD})
    assert not settled.moving
    assert not settled.look({FILE: OLD, OTHER: NEW})
    assert settled.moving
    assert settled.look({FILE: OLD, OTHER: NEW})
    assert not settled.look({FILE: OLD})


def test_a_file_that_is_named_from_now_on_is_no_change_by_itself() -> None:
    settled = Settled({FILE: OLD})
    settled.know({OTHER: NEW})
    assert [settled.look({FILE: OLD, OTHER: each}) for each in (NEW, NEWER, NEWER)] == [False, False, True]


@given(st.lists(st.sampled_from([None, (1, 1, 0), OLD, NEW, NEWER]), max_size=30))
def test_whatever_happens_the_last_content_at_rest_is_taken_exactly_once(history: list[Stamp | None]) -> None:
    settled, taken = Settled({FILE: OLD}), OLD
    for seen in history:
        if settled.look({FILE: seen}):
            assert seen is not None
            assert seen != taken
            taken = seen
    assert looks(settled, NEWER, NEWER, NEWER).count(True) == (taken != NEWER)


def test_a_replaced_file_of_the_same_size_has_another_stamp(tmp_path: Path) -> None:
    file = tmp_path / "x"
    assert stamp(file) is None
    file.write_text("one")
    first = stamp(file)
    (tmp_path / "y").write_text("two")
    (tmp_path / "y").replace(file)
    assert stamp(file) != first
