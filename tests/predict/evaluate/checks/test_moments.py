"""What is judged: hours at which an endpoint is known to be up, and it is known what came."""

import numpy as np
import pytest
from tests.predict.evaluate.checks.history import HOUR, T0, days, history, line, loaded

from foregate.predict.evaluate.checks.load import ChecksError
from foregate.predict.evaluate.checks.moments import Moments, moments
from foregate.predict.evaluate.checks.timeline import sources


def judged(*records: tuple[float, str], horizon_h: int = 6) -> Moments:
    return moments(sources([history(*records)]), horizon_h)


def hours(found: Moments) -> list[float]:
    return ((found.time_s - T0) / HOUR).tolist()


def test_no_moment_lies_in_an_outage_nor_in_the_last_horizon() -> None:
    found = judged(*days(2, (10.5, "down"), (13.5, "up")))
    assert hours(found) == [*range(11), *range(14, 43)]


def test_the_label_says_whether_an_onset_comes_within_the_horizon() -> None:
    found = judged(*days(2, (10.5, "down"), (13.5, "up")))
    assert [h for h, label in zip(hours(found), found.label, strict=True) if label] == [5, 6, 7, 8, 9, 10]


def test_a_silent_recorder_makes_the_state_unknown_from_its_last_word_on() -> None:
    found = judged((0, "up"), (24, "up"), (72, "up"), (90, "up"))
    assert hours(found) == [*range(19), *range(72, 85)]


def test_a_history_that_begins_down_has_no_onset_and_no_first_failure() -> None:
    found = judged(*days(2, (0, "down"), (1.5, "up"), (20.5, "down"), (21.5, "up")))
    ((onset_s, first),) = found.onsets
    assert ((onset_s - T0) / HOUR).tolist() == [20.5]
    assert not first.any()
    assert not found.fresh.any()


def test_an_onset_that_no_moment_could_announce_does_not_count() -> None:
    found = judged(*days(2, (10.1, "down"), (10.2, "up"), (10.4, "down"), (10.6, "up")))
    ((onset_s, first),) = found.onsets
    assert ((onset_s - T0) / HOUR).round(1).tolist() == [10.1, 10.4]  # the moments before the first serve both
    assert first.tolist() == [True, False]
    late = judged((0, "down"), (10.99, "up"), (11.02, "down"), (12, "up"), (24, "up"))
    assert hours(late)[0] == 11
    assert late.label[0] == 1.0
    assert len(late.onsets[0][0]) == 0  # that moment, the only one, is 72 s ahead


def test_records_of_one_source_share_their_hours_and_keep_their_own_numbers() -> None:
    lines = [line("a", "x", T0), line("a", "y", T0 + 5 * HOUR), line("b", "z", T0)]
    lines += [line(s, e, T0 + 12 * HOUR) for s, e in (("a", "x"), ("a", "y"), ("b", "z"))]
    found = moments(sources(loaded(*lines).histories), 6)
    assert found.names == ("a", "b")
    assert np.bincount(found.endpoint).tolist() == [7, 2, 7]
    assert np.bincount(found.source).tolist() == [9, 7]
    assert found.features.dtype == np.float32


def test_histories_that_span_too_much_are_refused_before_anything_is_made() -> None:
    with pytest.raises(ChecksError, match="endpoint hours"):
        sources(loaded(line("s", "e", 0), line("s", "e", 40_000_000_000)).histories)
