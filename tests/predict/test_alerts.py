"""The alert book: one alarm per entity and horizon, hysteresis, an outcome that does not flatter, bounded."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.predict.making import PAY, T0

from foregate.predict.alerts import AlertBook, Candidate
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity

HORIZON = 900
THRESHOLD = 0.8


def candidate(time_s: float, score: float, *, eligible: bool = True, entity: Entity = PAY) -> Candidate:
    return Candidate(time_s, entity, score, THRESHOLD, eligible, "v", "title", ("because",))


def book(pages_max: int = 100) -> AlertBook:
    return AlertBook(horizon_s=HORIZON, pages_max=pages_max)


def raised(of: AlertBook) -> Alert:
    alert = of.offer(candidate(T0, 0.9))
    assert alert is not None
    return alert


def test_a_score_at_the_threshold_opens_an_alert_with_its_reasons() -> None:
    alert = book().offer(candidate(T0, 0.8))
    assert alert is not None
    assert (alert.state, alert.outcome, alert.score, alert.reasons) == ("open", "pending", 0.8, ("because",))
    assert alert.raised_s == alert.updated_s == T0
    assert book().offer(candidate(T0, 0.7999)) is None


def test_nothing_is_predicted_for_an_entity_that_failed_minutes_ago() -> None:
    assert book().offer(candidate(T0, 0.99, eligible=False)) is None


def test_within_the_horizon_a_high_score_only_raises_the_peak() -> None:
    b = book()
    first = raised(b)
    assert b.offer(candidate(T0 + 10, 0.905)) is None
    second = b.offer(candidate(T0 + 20, 0.97))
    assert second is not None
    assert (second.id, second.peak_score, second.score) == (first.id, 0.97, 0.9)


def test_it_closes_only_after_a_minute_below_half_the_threshold_and_opens_again_as_the_same() -> None:
    b = book()
    first = raised(b)
    states = [b.offer(candidate(T0 + 10 * i, 0.3)) for i in range(1, 7)]
    assert states[:5] == [None] * 5
    assert states[5] is not None
    assert (states[5].state, states[5].outcome) == ("closed", "pending")
    again = b.offer(candidate(T0 + 100, 0.85))
    assert again is not None
    assert (again.id, again.state, again.closed_s) == (first.id, "open", None)


def test_a_score_between_the_two_levels_keeps_it_open() -> None:
    b = book()
    raised(b)
    assert [b.offer(candidate(T0 + 10 * i, 0.5)) for i in range(1, 30)] == [None] * 29


def test_a_failure_within_the_horizon_makes_it_right_with_the_lead_to_the_first_bad_minute() -> None:
    b = book()
    raised(b)
    alert = b.failed(PAY, T0 + 300, T0 + 480)
    assert alert is not None
    assert (alert.outcome, alert.failed_s, alert.lead_s) == ("failed", T0 + 300, 300)
    [closed] = b.expire(T0 + 961, {})
    assert (closed.state, closed.outcome) == ("closed", "failed")


def test_a_failure_after_the_horizon_does_not_make_it_right() -> None:
    b = book()
    raised(b)
    assert b.failed(PAY, T0 + HORIZON + 60, T0 + HORIZON + 240) is None


def test_an_old_failure_that_is_learned_again_after_a_restart_does_not_make_it_right() -> None:
    b = book()
    b.restore([raised(book())])
    assert b.failed(PAY, T0 - 3_600, T0 - 3_420) is None


def test_without_a_failure_the_horizon_ends_it_as_a_false_alarm_and_then_pages_again() -> None:
    b = book()
    first = raised(b)
    assert b.expire(T0 + HORIZON - 10, {}) == []
    [over] = b.expire(T0 + HORIZON + 60, {})
    assert (over.state, over.outcome) == ("closed", "no_failure")
    second = b.offer(candidate(T0 + HORIZON + 70, 0.95))
    assert second is not None
    assert second.id != first.id


def test_a_spell_that_began_in_the_horizon_is_waited_for_but_not_for_ever() -> None:
    b = book()
    raised(b)
    suspects = {PAY: T0 + HORIZON - 60}
    assert b.expire(T0 + HORIZON + 120, suspects) == []
    [over] = b.expire(T0 + HORIZON + 400, suspects)
    assert over.outcome == "no_failure"


def test_after_the_clock_was_set_back_a_page_of_the_future_blocks_nobody() -> None:
    b = book()
    first = raised(b)
    back_s = T0 - 86_400
    b.offer(candidate(back_s, 0.95))
    [over] = b.expire(back_s, {})
    assert (over.id, over.state, over.outcome, over.updated_s) == (first.id, "closed", "no_failure", back_s)
    second = b.offer(candidate(back_s + 10, 0.95))
    assert second is not None
    assert second.raised_s == back_s + 10
    assert b.expire(back_s + 10, {}) == []


def test_a_clock_that_is_put_right_by_seconds_pages_nobody_twice() -> None:
    b = book()
    raised(b)
    assert b.offer(candidate(T0 - 20, 0.9)) is None
    assert b.expire(T0 - 20, {}) == []


def test_a_full_book_refuses_and_counts() -> None:
    b = book(pages_max=2)
    for i in range(4):
        b.offer(candidate(T0, 0.9, entity=Entity("o", "s", f"/{i}", "e")))
    assert len(b.unresolved()) == 2
    assert b.refused == 2


def test_after_a_restart_the_same_alarm_goes_on_and_does_not_page_twice() -> None:
    before = book()
    alert = raised(before)
    after = book()
    after.restore([alert])
    assert after.offer(candidate(T0 + 30, 0.91)) is None
    assert after.failed(PAY, T0 + 300, T0 + 480) is not None


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.1, 0.5, 0.85, 0.95]), max_size=400))
def test_the_book_pages_when_the_evaluation_says_it_does(scores: list[float]) -> None:
    """Evaluation replays a short form of this rule; were they to differ, the figures would be about another product."""
    b = book()
    times = [T0 + 10 * i for i in range(len(scores))]
    pages = []
    for time_s, score in zip(times, scores, strict=True):
        alert = b.offer(candidate(time_s, score))
        if alert is not None and alert.raised_s == time_s:
            pages.append(time_s)
        b.expire(time_s + 70, {})  # the horizon ends a minute earlier here: the wait for the last minute is not paged
    expected: list[float] = []
    for time_s, score in zip(times, scores, strict=True):
        if score >= THRESHOLD and (not expected or time_s >= expected[-1] + HORIZON):
            expected.append(time_s)
    assert pages == expected


def test_another_models_threshold_decides_when_an_open_alert_is_over() -> None:
    b = book()
    first = raised(b)
    careful = [b.offer(replace(candidate(T0 + 10 * i, 0.3), threshold=0.25)) for i in range(1, 20)]
    assert careful == [None] * 19, "0.3 is an alarm by the model that judges now"
    bold = [b.offer(replace(candidate(T0 + 10 * i, 0.4), threshold=0.95)) for i in range(20, 26)]
    assert [(one.id, one.state) for one in bold if one] == [(first.id, "closed")]


def test_of_two_restored_alerts_of_an_api_the_earlier_ends_and_the_later_goes_on() -> None:
    first, second = raised(book()), book().offer(candidate(T0 + 300, 0.9))
    assert second is not None
    b = book()
    b.restore([second, first])
    [over] = b.expire(T0 + 310, {})
    assert (over.id, over.state, over.outcome) == (first.id, "closed", "no_failure")
    assert [one.id for one in b.unresolved()] == [second.id]
    assert b.expire(T0 + 320, {}) == []
