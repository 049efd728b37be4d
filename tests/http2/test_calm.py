"""What a client may ask without wanting an answer."""

from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.http2.calm import Purse


def test_a_purse_is_empty_after_its_burst_and_fills_with_time() -> None:
    purse = Purse(10, 2.0, 0.0)
    assert all(purse.pay(1.0, 0.0) for _ in range(10))
    assert not purse.pay(1.0, 0.0)
    assert purse.pay(1.0, 1.0)


def test_honest_work_fills_a_purse_but_never_above_its_burst() -> None:
    purse = Purse(10, 0.0, 0.0)
    purse.earn(1_000.0)
    assert [purse.pay(1.0, 0.0) for _ in range(12)] == [True] * 11 + [False]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 3.0)), max_size=200))
def test_never_is_more_paid_than_burst_time_and_work_gave(steps: list[tuple[float, float]]) -> None:
    purse = Purse(20, 3.0, 0.0)
    now_s = paid = earned = 0.0
    for earns, waits_s in steps:
        now_s += waits_s
        earned += earns
        purse.earn(earns)
        if not purse.pay(7.0, now_s):
            break
        paid += 7.0
    assert paid <= 20 + 3.0 * now_s + earned + 1e-6
