"""A service is left alone when too large a share of its answers fails."""

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.policies.service_breaker import ServiceBreaker
from foregate.wire.policies import ServiceBreaker as Settings

SETTINGS = Settings(error_rate=0.5, requests_min=10, window_s=10.0, open_s=5.0)


def answer(breaker: ServiceBreaker, now_s: float, failed: bool, times: int = 1) -> bool:
    changed = [breaker.answered(now_s, failed, breaker.enter(now_s)) for _ in range(times)]
    return any(changed)


def test_it_opens_at_the_share_and_only_with_enough_answers() -> None:
    breaker = ServiceBreaker(SETTINGS)
    assert not answer(breaker, 1.0, failed=True, times=9)
    assert answer(breaker, 1.0, failed=True)
    assert breaker.state == "open"
    assert not breaker.admits(5.9)
    other = ServiceBreaker(SETTINGS)
    answer(other, 1.0, failed=False, times=11)
    assert not answer(other, 1.0, failed=True, times=10)
    assert answer(other, 1.0, failed=True)


def test_what_is_older_than_the_window_does_not_count() -> None:
    breaker = ServiceBreaker(SETTINGS)
    answer(breaker, 0.5, failed=True, times=9)
    assert not answer(breaker, 10.6, failed=True, times=9)
    assert breaker.state == "closed"


def test_one_trial_decides() -> None:
    for failed in (True, False):
        breaker = ServiceBreaker(SETTINGS)
        answer(breaker, 0.0, failed=True, times=10)
        assert breaker.admits(5.0)
        entered = breaker.enter(5.0)
        assert entered == "half_open"
        assert not breaker.admits(5.0)
        assert breaker.answered(5.1, failed, entered)
        assert breaker.state == ("open" if failed else "closed")
        assert breaker.admits(5.2) is not failed


def test_an_answer_to_what_was_sent_before_it_opened_proves_nothing() -> None:
    breaker = ServiceBreaker(SETTINGS)
    entered = breaker.enter(0.0)
    answer(breaker, 0.0, failed=True, times=10)
    assert not breaker.answered(1.0, False, entered)
    assert breaker.state == "open"


def test_a_trial_whose_client_left_or_never_ends_makes_room() -> None:
    breaker = ServiceBreaker(SETTINGS)
    answer(breaker, 0.0, failed=True, times=10)
    breaker.left(breaker.enter(5.0))
    assert breaker.admits(5.0)
    breaker.enter(5.0)
    assert not breaker.admits(9.9)
    assert breaker.admits(10.0)


def test_other_settings_keep_the_state() -> None:
    breaker = ServiceBreaker(SETTINGS)
    answer(breaker, 0.0, failed=True, times=10)
    breaker.adopt(Settings(open_s=1.0))
    assert breaker.state == "open"


@given(st.lists(st.tuples(st.sampled_from(["ok", "fail", "leave", "hang"]), st.floats(0.0, 4.0)), max_size=200))
def test_it_never_stays_shut(steps: list[tuple[str, float]]) -> None:
    breaker, now_s = ServiceBreaker(Settings(requests_min=2, window_s=3.0, open_s=5.0)), 0.0
    for step, wait_s in steps:
        now_s += wait_s
        if breaker.admits(now_s):
            entered = breaker.enter(now_s)
            if step == "leave":
                breaker.left(entered)
            elif step != "hang":
                breaker.answered(now_s, step == "fail", entered)
    assert breaker.admits(now_s + 5.0)
