"""Answers from windows equal a plain recomputation from the events, whatever is asked and whatever is stale."""

from collections.abc import Iterator
from math import isclose
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.telemetry.query.filling import asked, filled, grouped, measured, spread, windows_of

from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError
from foregate.telemetry.query import windowed
from foregate.telemetry.query.asking import Asker
from foregate.telemetry.query.windowed import Bounds
from foregate.wire.ask import Answer, Ask, Filter
from foregate.wire.event import RequestEvent

DAY_S = 86_400.0
NOW_S = 1_700_000_000.0
FROM_S = NOW_S - 4 * DAY_S
KEPT_S = {10: 7_200.0, 60: 7 * DAY_S, 300: 30 * DAY_S, 900: 30 * DAY_S, 3_600: 400 * DAY_S, 86_400: 400 * DAY_S}
EVENTS = spread(1, 1_500, FROM_S, NOW_S - 1) + spread(2, 500, NOW_S - 7_000, NOW_S - 1)
NUMBERS = (
    "requests",
    "errors",
    "error_rate",
    "timeouts",
    "client_errors",
    "limited",
    "retries",
    "request_bytes",
    "rps",
)
SKETCHED = ("mean_ms", "p50_ms", "p95_ms", "p999_ms", "max_ms", "upstream_mean_ms", "clients")


@pytest.fixture(scope="module", params=["all rolled up", "much stale"])
def series(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSeries]:
    made = filled(tmp_path_factory.mktemp("series"), EVENTS, 1_000 if request.param == "all rolled up" else 30)
    stale = made.stale(FROM_S, NOW_S - 3_600)
    assert bool(stale) == (request.param == "much stale")
    yield made
    made.close()


def asker(series: EmbeddedSeries, bounds: Bounds | None = None) -> Asker:
    return Asker(series, None, ManualClock(NOW_S), lambda span, _: KEPT_S[span], bounds)


def assert_right(answer: Answer, ask: Ask) -> None:
    """Of the range that the answer says it is about."""
    until_s = NOW_S if ask.until_s >= NOW_S else answer.until_s
    really = Ask(
        ask.org, answer.from_s, until_s, ask.measures, ask.step_s, ask.group_by, ask.filters, ask.order, ask.top
    )
    assert answer.from_s <= ask.from_s
    assert ask.from_s - answer.from_s <= max(60.0, (ask.until_s - ask.from_s) / 96)
    expected = grouped(really, EVENTS)
    ranked = sorted(expected, key=lambda group: -len(expected[group]))
    assert len(answer.series) == min(ask.top, len(expected))
    assert answer.left_out == len(expected) - len(answer.series)
    least = len(expected[ranked[len(answer.series) - 1]]) if ranked else 0
    for one in answer.series:
        assert len(expected[one.group]) >= least
        events = expected[one.group]
        for measure, value in zip(ask.measures, one.whole, strict=True):
            assert_close(measure, value, measured(measure, events, until_s - answer.from_s))
        steps: dict[float, list[RequestEvent]] = {}
        for event in events if ask.step_s else ():
            steps.setdefault(event.time_s // ask.step_s * ask.step_s, []).append(event)
        for at, start_s in enumerate(one.starts_s):
            within = steps.get(start_s, [])
            seconds = min(until_s, start_s + ask.step_s) - max(answer.from_s, start_s)
            for measure, values in zip(ask.measures, one.values, strict=True):
                assert_close(measure, values[at], measured(measure, within, seconds) if within else None)


def assert_close(measure: str, value: float | None, exact: float | None) -> None:
    if exact is None or value is None:
        assert value is None
        assert exact is None
    else:
        assert isclose(value, exact, rel_tol=0.0101 if measure.startswith("p") else 1e-9, abs_tol=0.001), (
            measure,
            value,
            exact,
        )


ENTITY_FILTERS = st.lists(
    st.one_of(
        st.builds(Filter, st.just("service"), st.sampled_from(("eq", "ne", "prefix", "contains")), st.just(("pay",))),
        st.builds(Filter, st.just("service"), st.sampled_from(("eq", "ne")), st.just(("payments",))),
        st.builds(Filter, st.just("route"), st.sampled_from(("in", "not_in")), st.just(("/r/0", "/r/2"))),
        st.builds(Filter, st.just("environment"), st.just("eq"), st.just(("staging",))),
        st.builds(Filter, st.just("org"), st.sampled_from(("eq", "ne")), st.just(("other",))),
    ),
    max_size=2,
).map(tuple)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    ago_s=st.floats(60, 4 * DAY_S - 900),
    share=st.sampled_from((1.0, 1.0, 0.6, 0.1)),
    step_s=st.sampled_from((0, 0, 900, 3_600, DAY_S)),
    group_by=st.sampled_from(
        ((), ("service",), ("service", "route"), ("environment",), ("org",), ("route", "environment"))
    ),
    filters=ENTITY_FILTERS,
    org=st.sampled_from(("default", "other", "*", "nobody")),
    measures=st.sampled_from((NUMBERS, SKETCHED, ("requests", "p99_ms"), ("upstream_mean_ms",), ("clients",))),
    top=st.sampled_from((1, 2, 40)),
    few=st.sampled_from((0, 200)),
)
def test_answers_equal_a_recomputation_from_the_events(
    series: EmbeddedSeries,
    ago_s: float,
    share: float,
    step_s: float,
    group_by: tuple[str, ...],
    filters: tuple[Filter, ...],
    org: str,
    measures: tuple[str, ...],
    top: int,
    few: int,
) -> None:
    from_s = NOW_S - ago_s
    ask = Ask(org, from_s, from_s + ago_s * share, measures, int(step_s), group_by, filters, top=top)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windowed, "FEW_ENTITIES", few)
        patch.setattr(windowed, "AT_ONCE_MAX", few)  # 0: one window of each at a time
        assert_right(asker(series).ask(ask), ask)


@pytest.mark.parametrize("group_by", [(), ("org",), ("environment",)])
def test_totals_of_another_organisation_are_left_out(series: EmbeddedSeries, group_by: tuple[str, ...]) -> None:
    filters = (Filter("org", "eq", ("other",)),)
    ask = Ask("*", FROM_S, NOW_S, ("requests", "errors"), 0, group_by, filters)  # type: ignore[arg-type]
    assert_right(asker(series).ask(ask), ask)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    ago_s=st.floats(600, 4 * DAY_S - 900),
    step_s=st.sampled_from((0, 3_600)),
    filters=st.sampled_from(
        ((), (Filter("status_class", "eq", ("5xx",)),), (Filter("status_class", "not_in", ("2xx", "5xx")),))
    ),
    group_by=st.sampled_from((("status_class",), ("service", "status_class"), ())),
)
def test_status_classes_are_told_apart(
    series: EmbeddedSeries, ago_s: float, step_s: int, filters: tuple[Filter, ...], group_by: tuple[str, ...]
) -> None:
    ask = Ask("default", NOW_S - ago_s, NOW_S, ("requests", "p95_ms"), step_s, group_by, filters)  # type: ignore[arg-type]
    assert_right(asker(series).ask(ask), ask)


def test_the_busiest_keys_are_counted(series: EmbeddedSeries) -> None:
    ask = Ask("default", NOW_S - 2 * DAY_S, NOW_S, ("requests",), 0, ("key_id",), top=3)
    answer = asker(series).ask(ask)
    assert_right(answer, ask)
    assert [one.group for one in answer.series][:2] == [("web",), ("mobile",)]


def test_a_range_without_traffic_has_no_series(series: EmbeddedSeries) -> None:
    answer = asker(series).ask(Ask("default", NOW_S - 20 * DAY_S, NOW_S - 10 * DAY_S, ("requests",), 86_400))
    assert (answer.series, answer.left_out, answer.from_windows) == ((), 0, True)


def test_ordering_by_a_quantile_finds_the_slowest(series: EmbeddedSeries) -> None:
    ask = Ask("default", NOW_S - DAY_S, NOW_S, ("p95_ms",), 0, ("service", "route"), order="p95_ms", top=2)
    answer = asker(series).ask(ask)
    everybody = asker(series).ask(Ask("default", NOW_S - DAY_S, NOW_S, ("p95_ms",), 0, ("service", "route")))
    values = sorted((one.whole[0] or 0.0 for one in everybody.series), reverse=True)
    assert [one.whole[0] for one in answer.series] == values[:2]


def test_the_period_before_is_asked_about_the_same_groups(series: EmbeddedSeries) -> None:
    ask = Ask("default", NOW_S - DAY_S, NOW_S, ("requests",), 3_600, ("service", "route"), top=2)
    now, before = asker(series).compared(ask, DAY_S)
    assert {one.group for one in before.series} <= {one.group for one in now.series}
    for one in before.series:
        within = Ask("default", before.from_s, NOW_S - DAY_S, ask.measures, 0, ask.group_by)
        assert one.whole[0] == len([e for e in asked(within, EVENTS) if (e.service, e.route) == one.group])


def test_a_period_before_that_is_not_kept_as_a_whole_is_not_compared(series: EmbeddedSeries) -> None:
    ask = Ask("default", NOW_S - 3_600, NOW_S, ("requests",), 10)  # windows of 10 s are kept for two hours
    now, before = asker(series).compared(ask, 5_400)
    assert now.series[0].whole[0]
    assert before.series == ()


def test_what_costs_too_much_is_refused_with_what_it_would_cost(series: EmbeddedSeries) -> None:
    few = asker(series, Bounds(windows_max=50, sums_max=50))
    with pytest.raises(ForegateError, match=r"more than 50 windows .* ask for a shorter range") as refused:
        few.ask(Ask("default", NOW_S - DAY_S, NOW_S, ("p95_ms",), 900, ("route",)))
    assert refused.value.spec.code == "query_too_large"
    with pytest.raises(ForegateError, match=r"17,280 steps are more than 5,000"):
        few.ask(Ask("default", NOW_S - 2 * DAY_S, NOW_S, ("p95_ms",), 10))
    with pytest.raises(ForegateError, match=r"values .* more than 200,000"):
        few.ask(Ask("default", NOW_S - 2 * DAY_S, NOW_S, ("p95_ms",), 60, ("route",), top=1_000))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"group_by": ("path",)}, "requests by path are not in the windows"),
        ({"filters": (Filter("latency_ms", "gt", ("5",)),)}, "latency_ms is not in the windows"),
        ({"measures": ("keys",)}, "keys is not in the windows"),
        ({"measures": ("errors",), "group_by": ("status_class",)}, "errors is not in the windows by itself"),
        ({"step_s": 705}, "no window divides a step of 705 s"),
        ({"until_s": FROM_S}, "until: the range must end after it begins"),
        ({"measures": ()}, "measures: at least one of requests"),
        ({"group_by": ("nobody",)}, "group_by: 'nobody' is none of org, service"),
        ({"top": 0}, "top: 1 to 1000"),
    ],
)
def test_what_no_window_answers_is_said(series: EmbeddedSeries, changes: dict[str, object], said: str) -> None:
    plain = {"org": "default", "from_s": FROM_S, "until_s": NOW_S, "measures": ("requests",)}
    with pytest.raises(ForegateError, match=said) as refused:
        asker(series).ask(Ask(**(plain | changes)))  # type: ignore[arg-type]
    assert refused.value.spec.code == "invalid_parameter"


def test_an_organisation_that_has_just_come_is_not_counted_to_another(tmp_path: Path) -> None:
    mine = [replace(one, org="default") for one in EVENTS if one.time_s >= NOW_S - 600]
    store = filled(tmp_path, mine)
    asking = asker(store)
    ask = Ask("default", NOW_S - 3_600, NOW_S, ("requests",))
    assert asking.ask(ask).series[0].whole[0] == len(mine)  # and who there is, is remembered for some seconds
    store.append(windows_of([replace(one, org="new") for one in mine], [60, 300, 900]), {}, {})
    later = replace(ask, measures=("requests", "p50_ms"))  # whose windows were not read before
    assert asking.ask(later).series[0].whole[0] == len(mine)
    store.close()


def test_what_came_late_is_counted_once_although_totals_were_made_without_it(tmp_path: Path) -> None:
    early = [one for one in EVENTS if one.time_s >= NOW_S - DAY_S]
    late = [replace(one, request_id="late") for one in early[::50]]
    made = filled(tmp_path, early)
    touched = {(one.entity, one.time_s // 900) for one in late}
    made.append(windows_of([one for one in early + late if (one.entity, one.time_s // 900) in touched], [900]), {}, {})
    ask = Ask("default", NOW_S // 3_600 * 3_600 - 12 * 3_600, NOW_S, ("requests",), 3_600)
    answer = asker(made).ask(ask)
    made.close()
    assert answer.series[0].whole[0] == len(asked(ask, early + late))
