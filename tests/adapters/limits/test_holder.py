"""What a worker tells the server it holds: totals that put right whatever was lost."""

from foregate.adapters.distributed.limits import holder
from foregate.adapters.distributed.limits.holder import Holder


def test_each_statement_is_newer_than_the_last_and_gives_what_was_held_before() -> None:
    one = Holder("h")
    assert [one.take("k", 2.0), one.take("k", 1.0), one.take("other", 1.0)] == [(0.0, 1), (2.0, 2), (0.0, 3)]
    one.give_back("k", 2.0)
    assert one.next_doubtful(9) == [("k", 4, 1.0)]
    assert one.next_doubtful(9) == []


def test_nothing_is_remembered_of_what_nobody_holds() -> None:
    one = Holder("h")
    for number in range(1000):
        one.take(f"{number}", 1.0)
        one.give_back(f"{number}", 1.0)
        one.give_back(f"{number}", 1.0)
        assert one.next_doubtful(9) == [(f"{number}", 2 * number + 2, 0.0)]
    assert not one.busy
    assert not one.doubtful


def test_doubts_are_bounded() -> None:
    one = Holder("h")
    for number in range(holder.DOUBTFUL_MAX + 10):
        one.doubt(f"{number}")
    assert [key for key, _, _ in one.next_doubtful(2)] == ["10", "11"]


def test_after_the_server_was_gone_all_that_is_held_is_told() -> None:
    one = Holder("h")
    one.take("a", 1.0)
    one.take("b", 2.0)
    one.doubt_all()
    assert one.next_doubtful(9) == [("a", 3, 1.0), ("b", 4, 2.0)]
