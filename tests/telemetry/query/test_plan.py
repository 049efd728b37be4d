"""Which windows answer a question: no moment twice, none left out, whatever is stale or gone."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.telemetry.query.plan import ALL_SPANS_S, Known, Piece, pieces

NOW_S = 1_700_000_000.0
DAY_S = 86_400
KEPT_S = {10: 2 * 3_600, 60: 7 * DAY_S, 300: 30 * DAY_S, 900: 30 * DAY_S, 3_600: 400 * DAY_S, DAY_S: 400 * DAY_S}


def known(stale_s: tuple[float, ...] = ()) -> Known:
    return Known(NOW_S, {span: NOW_S - kept for span, kept in KEPT_S.items()}, stale_s)


HOURS = st.integers(0, 40 * 24).map(lambda ago: NOW_S // 3_600 * 3_600 - ago * 3_600)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    ago_s=st.one_of(st.floats(1, 3 * 3_600), st.floats(1, 29 * DAY_S), st.floats(31 * DAY_S + 60, 399 * DAY_S)),
    share=st.floats(0.001, 1.0),
    step_s=st.sampled_from((0, 0, 300, 900, 3_600, 7_200, DAY_S)),
    stale=st.lists(HOURS, max_size=12).map(tuple),
)
def test_each_moment_of_the_range_comes_from_exactly_one_window(
    ago_s: float, share: float, step_s: int, stale: tuple[float, ...]
) -> None:
    from_s, until_s = NOW_S - ago_s, NOW_S - ago_s + ago_s * share
    found = pieces(from_s, until_s, step_s, known(stale))
    if found is None:
        assert step_s
        assert step_s < 3_600
        assert ago_s > 30 * DAY_S - 1
        return
    assert found[0].from_s <= from_s
    assert found[-1].until_s >= until_s
    for before, after in pairwise(found):
        assert before.until_s == after.from_s
    for piece in found:
        assert piece.from_s < piece.until_s
        assert piece.from_s % piece.span_s == piece.until_s % piece.span_s == 0
        assert not step_s or step_s % piece.span_s == 0
        assert piece.from_s >= NOW_S - KEPT_S[piece.span_s]
        for hour in stale:
            if piece.span_s >= 3_600 and hour >= NOW_S - KEPT_S[900]:
                assert not piece.from_s <= hour < piece.until_s, (piece, hour)


def test_the_longest_windows_that_fit_are_taken() -> None:
    midnight = NOW_S // DAY_S * DAY_S
    ten_days = Piece(DAY_S, int(midnight) - 10 * DAY_S, int(midnight))
    assert pieces(midnight - 10 * DAY_S, midnight, 0, known()) == [ten_days]
    spans = [piece.span_s for piece in pieces(NOW_S - 20 * DAY_S, NOW_S - 0.5, 0, known()) or []]
    assert spans == [300, 900, 3_600, DAY_S, 3_600, 300, 60, 10]


def test_up_to_now_the_open_quarter_of_an_hour_is_read_and_not_its_parts() -> None:
    found = pieces(NOW_S - DAY_S, NOW_S, 900, known()) or []
    assert found[-1].span_s == 900
    assert found[-1].until_s >= NOW_S


def test_what_begins_a_little_before_all_that_is_kept_begins_there() -> None:
    found = pieces(NOW_S - 30 * DAY_S - 60, NOW_S, 900, known()) or []
    assert 0 <= found[0].from_s - (NOW_S - 30 * DAY_S) < 900
    assert pieces(NOW_S - 32 * DAY_S, NOW_S, 900, known()) is None
    assert pieces(NOW_S - 32 * DAY_S, NOW_S, 3_600, known()) is not None


def test_a_step_that_no_window_divides_has_no_plan() -> None:
    assert pieces(NOW_S - 60, NOW_S, 7, known()) is None
    assert set(ALL_SPANS_S) == set(KEPT_S)
