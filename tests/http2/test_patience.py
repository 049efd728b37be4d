"""How slowly a body may come, and an answer may be taken."""

from types import SimpleNamespace
from typing import Any

from foregate.http2.patience import Pace

CONTEXT: Any = SimpleNamespace(idle_timeout_s=75.0, body_bytes_per_s_min=100.0, body_rate_window_s=10.0)


def test_a_body_that_keeps_pace_is_in_time_and_one_that_drips_is_not() -> None:
    pace = Pace(0.0)
    pace.body_s = 10.0
    assert not pace.body_late(CONTEXT, 10.0, 1_000, begun=False)
    pace.body_s = 20.0
    assert pace.body_late(CONTEXT, 20.0, 1_999, begun=False)


def test_a_body_may_be_slow_once_the_answer_has_begun_but_not_silent() -> None:
    pace = Pace(0.0)
    pace.body_s = 60.0
    assert not pace.body_late(CONTEXT, 60.0, 1, begun=True)
    assert pace.body_late(CONTEXT, 136.0, 1, begun=True)


def test_time_in_which_we_took_nothing_is_not_the_clients() -> None:
    pace = Pace(0.0)
    pace.begin_again(100.0, 5)
    assert not pace.body_late(CONTEXT, 109.0, 5, begun=False)
    assert pace.body_late(CONTEXT, 110.0, 5, begun=False)


def test_an_answer_that_is_taken_in_crumbs_is_stalled() -> None:
    pace = Pace(0.0)
    assert not pace.stalled(CONTEXT, 0.0, sent=10, queued=100)
    assert not pace.stalled(CONTEXT, 74.0, sent=10, queued=100)
    assert pace.stalled(CONTEXT, 75.0, sent=500, queued=100)


def test_an_answer_that_goes_on_or_is_out_is_not_stalled() -> None:
    pace = Pace(0.0)
    assert not pace.stalled(CONTEXT, 0.0, sent=10, queued=100)
    assert not pace.stalled(CONTEXT, 75.0, sent=5_000, queued=100)
    assert not pace.stalled(CONTEXT, 100.0, sent=5_100, queued=0)
    assert not pace.stalled(CONTEXT, 200.0, sent=5_100, queued=1)
