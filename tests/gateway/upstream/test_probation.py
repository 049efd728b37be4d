"""Active checks as a decision."""

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.upstream.health.probation import Probation
from foregate.wire.snapshot import ActiveCheck

SETTINGS = ActiveCheck(healthy=2, unhealthy=3)


def test_it_takes_so_many_in_a_row_to_change_the_verdict() -> None:
    target = Probation()
    assert [target.note(passed, SETTINGS) for passed in (False, False, True, False, False, False)] == [False] * 5 + [
        True
    ]
    assert not target.healthy
    assert [target.note(passed, SETTINGS) for passed in (True, False, True, True)] == [False, False, False, True]
    assert target.healthy


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_the_verdict_is_that_of_the_latest_run_that_was_long_enough(
    passed: list[bool], healthy: int, unhealthy: int
) -> None:
    target, settings = Probation(), ActiveCheck(healthy=healthy, unhealthy=unhealthy)
    believed, run, last = True, 0, None
    for outcome in passed:
        run = run + 1 if outcome is last else 1
        last = outcome
        if run >= (healthy if outcome else unhealthy):
            believed = outcome
        changed = target.healthy is not believed
        assert target.note(outcome, settings) is changed
        assert target.healthy is believed
