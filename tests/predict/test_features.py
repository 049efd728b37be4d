"""Features: relative to the entity's own past, blind to the future, NaN where unknown, said with their values."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.predict.making import PAY, T0, Shape, frame_of, minutes, panel_of, tick

from foregate.predict.features import FEATURE_NAMES, FEATURES, Frame, Neighbourhood, health, matrix
from foregate.predict.features.around import AROUND, HEALTH
from foregate.predict.panel import Panel
from foregate.predict.season import SEASONAL
from foregate.predict.usual import METRICS, Floats, Usual
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, row_of
from foregate.wire.window import Tick, WindowStats

STEADY = Shape()
GROWING = Shape(p50_ms=lambda m: 50.0 * max(1.0, 1 + 0.3 * (m - 20)))
ABSOLUTE = {"failing_share"}  # of how much traffic it takes to fail: an API with ten requests a minute cannot


def past_of(count: int, shape: Shape = STEADY, seed: int | None = 1) -> Panel:
    return panel_of(minutes(count, shape, random.Random(seed) if seed is not None else None))


def named(tick_: Tick, past: Panel) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, matrix(frame_of(tick_, past))[0].tolist(), strict=True))


def known(tick_: Tick, past: Panel) -> dict[str, float]:
    return {name: value for name, value in named(tick_, past).items() if value == value}


def test_names_are_unique_and_none_says_which_entity_it_is() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURES) >= 80
    assert not [name for name in FEATURE_NAMES if name in ("p95_ms", "rps", "service", "route")]


def test_an_entity_ten_times_slower_and_busier_looks_the_same() -> None:
    """What is learned from one entity must hold for another: only the relation to its own usual counts."""
    slow = Shape(p50_ms=lambda m: 500.0, requests=lambda m: 3000.0)
    a = named(tick(T0 + 1800, Shape()), past_of(30, seed=None))
    b = named(tick(T0 + 1800, slow), past_of(30, slow, seed=None))
    for name in set(FEATURE_NAMES) - ABSOLUTE:
        assert a[name] == pytest.approx(b[name], abs=0.02, nan_ok=True), name


def test_growth_shows_in_level_trend_and_duration() -> None:
    now = named(tick(T0 + 30 * 60, GROWING), past_of(30, GROWING))
    assert now["p95_ratio"] > 3
    assert now["p95_slope_15m"] > 0.1
    assert now["p95_tau_15m"] > 0.6
    assert now["p95_grown_min"] >= 7


def test_a_fault_five_minutes_after_the_start_is_compared_with_the_first_two_minutes() -> None:
    early = Shape(p50_ms=lambda m: 50.0 if m < 2 else 50.0 * (1 + 0.8 * (m - 2)))
    assert named(tick(T0 + 6 * 60, early), past_of(6, early))["p95_ratio"] > 3


numbers = st.integers(0, 5000)
floats = st.floats(0, 60_000, allow_nan=False)


@st.composite
def any_window(draw: st.DrawFn, start_s: float, span_s: int) -> WindowStats:
    requests = draw(numbers)
    part = st.integers(0, requests)
    return WindowStats(
        start_s, span_s, requests, draw(part), draw(part), draw(part), draw(part), draw(part), draw(numbers),
        0, 0, draw(numbers), *(draw(floats) for _ in range(5)),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_feature_is_infinite_and_sentences_are_whole_whatever_the_windows_hold(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 25))
    past = panel_of([(PAY, data.draw(any_window(T0 + 60 * i, 60))) for i in range(count)])
    time_s = T0 + 60.0 * count
    wide = Tick(time_s, PAY, *(data.draw(any_window(time_s - s, s)) for s in (60, 300, 900)), 15.0)
    frame = frame_of(wide, past)
    row = matrix(frame)[0]
    assert not np.isinf(row).any()
    if frame.usual.minutes[0] < 2:
        return  # it is being learned: nothing is said about it
    for feature, value in zip(FEATURES, row.tolist(), strict=True):
        if value == value:
            sentence = feature.sentence(frame, 0)
            assert "nan" not in sentence.lower(), (feature.name, sentence)
            assert any(c.isdigit() for c in sentence) or "no " in sentence, f"{feature.name} says no value: {sentence}"


def anything(seed: int, n: int = 40) -> Frame:
    """Moments of huge and tiny numbers, in which anything may be missing; errors even without requests."""
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> Floats:
        values = (10.0 ** rng.uniform(-3, 12, shape)).astype(np.float32)
        values[rng.random(shape) < 0.4] = np.nan
        values[rng.random(shape) < 0.2] = 0
        return values

    rows = some(n, len(COLUMNS), 60)
    rows[rng.random((n, len(COLUMNS))) < 0.3] = np.nan
    levels = (some(n, len(METRICS)) for _ in range(4))
    usual = Usual(*levels, rng.integers(2, 200, n).astype(np.int32))
    season = np.minimum(some(n, len(SEASONAL)), np.float32(60_000))
    return Frame(rows, usual, season, np.full(n, T0), some(n, len(AROUND)))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_missing_or_huge_what_is_known_is_finite_and_can_be_said(seed: int) -> None:
    frame = anything(seed)
    rows = matrix(frame)  # a warning would be an error here
    assert not np.isinf(rows).any()
    for i, at in np.argwhere(~np.isnan(rows)).tolist():
        assert "nan" not in FEATURES[at].sentence(frame, i)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), at=st.integers(3, 39))
def test_changing_what_comes_later_never_changes_an_earlier_feature(seed: int, at: int) -> None:
    whole = minutes(40, GROWING, random.Random(seed))
    other = whole[:at] + minutes(40 - at, Shape(p50_ms=lambda m: 9_000.0), start_s=T0 + 60 * at)
    now = tick(T0 + 60 * at, GROWING)
    assert known(now, panel_of(whole)) != {}
    assert known(now, panel_of(whole[: at - 1])) == known(now, panel_of(other[: at - 1]))


def test_gaps_leave_the_usual_level_as_it_was() -> None:
    past = panel_of(one for i, one in enumerate(minutes(60, Shape())) if i % 3)
    assert named(tick(T0 + 3600, Shape()), past)["p95_ratio"] == pytest.approx(1.0)
    assert past.usable_minutes(past.slots([PAY])).tolist() == [40]


def test_a_flat_series_scores_zero_and_a_small_change_of_it_stays_small() -> None:
    past = past_of(60, seed=None)
    flat = named(tick(T0 + 3600, Shape()), past)
    assert flat["p95_z"] == 0
    assert flat["error_z"] == 0
    nudged = named(tick(T0 + 3600, Shape(p50_ms=lambda m: 51.0)), past)
    assert 0 < nudged["p95_z"] < 1


def test_what_nobody_measured_is_not_known_rather_than_nothing() -> None:
    now = named(tick(T0 + 1800, Shape()), past_of(30))
    assert np.isnan([now["quota_left_min"], now["certificate_left_min"], now["first_token_ratio"]]).all()
    assert now["retries_5m"] == 0


def test_what_runs_out_is_drawn_on_until_nothing_is_left() -> None:
    past = past_of(20)
    for i in range(20, 50):
        left = {"quota_left": 0.5 - 0.01 * (i - 20)}
        past.learn(T0 + 60 * i, {PAY: [left.get(name, float("nan")) for name in COLUMNS]})
    frame = frame_of(tick(T0 + 50 * 60, Shape()), past)
    at = FEATURE_NAMES.index("quota_left_min")
    assert matrix(frame)[0, at] == pytest.approx(22, abs=2)  # a hundredth a minute, 0.21 is left
    assert "22 % of its quota is left, gone in 21 minutes" in FEATURES[at].sentence(frame, 0)


def _with(
    columns: Callable[[int], dict[str, float]], shape: Shape = STEADY, count: int = 60
) -> tuple[Frame, dict[str, float]]:
    """`columns(i)` beside the minutes of `shape`."""
    past = past_of(0)
    for i, (_, one) in enumerate(minutes(count, shape)):
        past.learn(T0 + 60 * i, {PAY: row_of(one, columns(i))})
        past.renew(T0 + 60 * i + 60)
    frame = frame_of(tick(T0 + count * 60, shape), past)
    return frame, dict(zip(FEATURE_NAMES, matrix(frame)[0].tolist(), strict=True))


def test_memory_that_garbage_takes_and_gives_back_does_not_run_out() -> None:
    rng = random.Random(3)
    _, told = _with(lambda i: {"memory_left": 0.4 * (1 - 0.2 * rng.random())})
    assert told["memory_left_min"] > 60
    assert told["memory_left_5m"] == pytest.approx(0.36, abs=0.04)
    _, leaking = _with(lambda i: {"memory_left": (0.6 - 0.009 * i) * (1 - 0.2 * rng.random())})
    assert leaking["memory_left_min"] == pytest.approx(7, abs=3)


def test_who_falls_silent_about_what_is_left_has_not_run_out_of_it() -> None:
    _, told = _with(lambda i: {"memory_left": 0.9 - 0.01 * i} if i < 49 else {})
    assert np.isnan(told["memory_left_min"])
    _, told = _with(lambda i: {"memory_left": 0.9 - 0.01 * i} if i < 58 else {})
    assert told["memory_left_min"] == pytest.approx(31, abs=3)


def test_a_process_that_has_just_begun_to_tell_runs_out_of_nothing_yet() -> None:
    fills = (0.79, 0.75, 0.70, 0.64)
    _, told = _with(lambda i: {"memory_left": fills[i - 56]} if i >= 56 else {})
    assert np.isnan(told["memory_left_min"])
    assert told["memory_left_5m"] == pytest.approx(0.70, abs=0.06)


def test_latency_is_seen_against_the_time_that_the_gateway_waits() -> None:
    slower = Shape(p50_ms=lambda m: 50.0 + max(0, m - 20))
    frame, told = _with(lambda i: {"time_limit_ms": 400.0}, slower)
    share = float(frame.level("p95_ms", 5)[0]) / 400
    assert told["p95_of_limit_5m"] == pytest.approx(share)
    pace = float(frame.line("p95_ms", 15)[0, 1])
    assert told["limit_reached_min"] == pytest.approx((400 - 400 * share) / pace, abs=4)
    at = FEATURE_NAMES.index("limit_reached_min")
    assert f"reaches the time limit of 400 ms in {told['limit_reached_min']:.0f} min" in FEATURES[at].sentence(frame, 0)
    assert np.isnan(_with(lambda i: {})[1]["p95_of_limit_5m"])


def test_latency_that_stands_at_the_time_limit_has_reached_it_though_it_grows_no_further() -> None:
    assert _with(lambda i: {"time_limit_ms": 140.0})[1]["limit_reached_min"] == 0
    assert _with(lambda i: {"time_limit_ms": 4_000.0})[1]["limit_reached_min"] == 1_440


def test_what_is_beyond_what_a_feature_can_tell_is_not_said_to_be_there() -> None:
    def said(name: str, columns: dict[str, float], shape: Shape = STEADY) -> str:
        return FEATURES[FEATURE_NAMES.index(name)].sentence(_with(lambda i: columns, shape, 20)[0], 0)

    certificates = {
        -60.0: "has expired",
        5 * 3600.0: "expires in 5 hours",
        31e6: "no certificate in use expires within",
    }
    for left_s, told in certificates.items():
        assert told in said("certificate_left_min", {"cert_left_s": left_s})
    assert said("memory_left_min", {"memory_left": 0.0}) == (
        "as good as nothing of the memory of one of its processes is left"
    )
    frame, told = _with(lambda i: {"connections_left": 0.9 if i < 50 else 0.6})
    assert told["connections_left_min"] < 60
    assert FEATURES[FEATURE_NAMES.index("connections_left_min")].sentence(frame, 0).startswith("60 % of a pool")
    slow = {"time_limit_ms": 20.0}  # with retries a request takes longer than one attempt may
    assert "at least twice the time limit of 20 ms" in said("p95_of_limit_5m", slow)
    assert said("limit_reached_min", slow) == "p95 latency has reached the time limit of 20 ms"


@pytest.mark.parametrize(
    ("per_h", "told"),
    [(60 / 1_440, "nothing of a service that it calls runs out within a day"), (60.0, "has run out"),
     (20.0, "runs out in 3 minutes"), (0.2, "runs out in 5 hours")],
)  # fmt: skip
def test_what_runs_out_elsewhere_is_said_in_time(per_h: float, told: str) -> None:
    frame, _ = _with(lambda i: {}, count=3)
    frame.around[0, AROUND.index("dependency_ends_per_h")] = per_h
    assert told in FEATURES[FEATURE_NAMES.index("dependency_ends_per_h")].sentence(frame, 0)


def test_who_depends_on_a_service_sees_how_soon_something_of_it_ends() -> None:
    frame, _ = _with(lambda i: {"connections_left": 0.66 - 0.01 * i, "cert_left_s": 86_400.0})
    ends = float(health(frame)[0, HEALTH.index("ends_per_h")])
    assert 60 / ends == pytest.approx(7, abs=2)
    caller, called = Entity("o", "web", "/", "e"), Entity("o", "db", "/q", "e")
    around = Neighbourhood([caller, called], {("o", "e", "web", "db")})
    worst = np.zeros((2, len(HEALTH)), dtype=np.float32)
    worst[1, HEALTH.index("ends_per_h")] = ends
    assert around.around(worst)[0, AROUND.index("dependency_ends_per_h")] == pytest.approx(ends)


def test_a_certificate_that_has_expired_is_no_end_to_come() -> None:
    def ends(**columns: float) -> float:
        return float(health(_with(lambda i: columns)[0])[0, HEALTH.index("ends_per_h")])

    assert ends(cert_left_s=1_800.0) == pytest.approx(2.0)
    assert np.isnan(ends(cert_left_s=-60.0))
    assert ends(cert_left_s=-60.0, connections_left=0.5) == pytest.approx(60 / 1_440)


def test_the_worst_of_a_service_and_of_what_it_calls_is_seen_by_its_routes() -> None:
    a, b, c = (Entity("o", service, route, "e") for service, route in (("web", "/"), ("web", "/x"), ("db", "/q")))
    around = Neighbourhood([a, b, c], {("o", "e", "web", "db"), ("o", "e", "db", "gone"), ("p", "e", "web", "db")})
    worst = np.zeros((3, len(HEALTH)), dtype=np.float32)
    worst[:, HEALTH.index("p95_ratio")] = 1, 2, 5
    seen = around.around(worst)
    assert seen[:, AROUND.index("service_p95_ratio")].tolist() == [2, 2, 5]
    assert seen[:2, AROUND.index("dependency_p95_ratio")].tolist() == [5, 5]
    assert np.isnan(seen[2, AROUND.index("dependency_p95_ratio")])
