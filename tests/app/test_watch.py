"""A change of a file counts once it has come to rest; a file that is gone or empty is about to be written."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from foregate.app.watch import Settled, Stamp, stamp, written_now

FILE, OTHER = Path("a"), Path("b")
OLD, NEW, NEWER = (1, 10, 5), (2, 20, 5), (3, 20, 6)  # each another file, put in place of the one before
LATE_S = 3_600.0


def looks(settled: Settled, *seen: Stamp | None) -> list[bool]:
    return [settled.look({FILE: each}, number * 0.01) for number, each in enumerate(seen)]


def counts_after_s(before: Stamp, after: Stamp, writing: bool = False) -> float:
    """How long `after` must have rested in place of `before`."""
    settled = Settled({FILE: before}, lambda _file: writing)
    return next(tenths / 10 for tenths in range(1_000) if settled.look({FILE: after}, tenths / 10))


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
    assert not settled.look({FILE: OLD}, 0.0)
    assert not settled.moving
    assert not settled.look({FILE: OLD, OTHER: NEW}, 0.1)
    assert settled.moving
    assert settled.look({FILE: OLD, OTHER: NEW}, 0.2)
    assert not settled.look({FILE: OLD}, 0.3)


def test_a_file_that_is_named_from_now_on_is_no_change_by_itself() -> None:
    settled = Settled({FILE: OLD})
    settled.know({OTHER: NEW})
    assert [settled.look({FILE: OLD, OTHER: each}, 0.0) for each in (NEW, NEWER, NEWER)] == [False, False, True]


def test_a_file_written_in_place_rests_longer_than_one_put_in_its_place() -> None:
    assert counts_after_s(OLD, (2, 20, 5)) == 0.1  # the second look
    assert counts_after_s(OLD, (1, 20, 6)) == 0.3


def test_a_file_that_has_become_shorter_may_be_the_beginning_of_what_is_to_come() -> None:
    assert counts_after_s(OLD, (1, 20, 4)) == 2.0
    assert counts_after_s(OLD, (2, 20, 4)) == 0.1  # another file is never a beginning


def test_a_file_that_somebody_has_open_for_writing_counts_when_nothing_came_for_long() -> None:
    assert counts_after_s(OLD, (1, 20, 6), writing=True) == counts_after_s(OLD, NEW, writing=True) == 10.0


def test_every_step_of_a_slow_writer_begins_the_rest_anew() -> None:
    settled = Settled({FILE: OLD})
    steps = [settled.look({FILE: (1, 100 + step, 5 + step)}, step * 0.25) for step in range(20)]
    assert not any(steps)
    assert settled.look({FILE: (1, 119, 24)}, LATE_S)


def test_who_has_a_file_open_for_writing_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "x"
    assert not written_now(file)
    with file.open("w") as writer:
        writer.write("one")
        writer.flush()
        assert written_now(file)
    assert not written_now(file)
    with file.open() as reader:
        assert not written_now(file)
        assert reader.read() == "one"


@given(st.lists(st.sampled_from([None, (1, 1, 0), OLD, NEW, NEWER]), max_size=30))
def test_whatever_happens_the_last_content_at_rest_is_taken_exactly_once(history: list[Stamp | None]) -> None:
    settled, taken = Settled({FILE: OLD}), OLD
    for seen in history:
        if settled.look({FILE: seen}, 0.0):
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
