"""The analyst: what it says when it knows too little, when all is well, before, during and after a failure."""

import random

import numpy as np
import pytest
from msgspec.structs import replace
from tests.predict.making import PAY, T0, Shape, minutes, tick, toy_model, window

from foregate.predict import Analyst, Models, Thresholds
from foregate.predict.analyst import JUDGED_A_TICK, Verdicts
from foregate.predict.evaluate.system import System
from foregate.predict.features import FEATURE_NAMES
from foregate.predict.moments import Recorded
from foregate.wire.entity import Entity
from foregate.wire.minutes import row_of
from foregate.wire.risk import Risk
from foregate.wire.window import Tick, WindowStats

CALM = Shape()
RISING = Shape(
    p50_ms=lambda m: 50.0 * max(1.0, 1 + 0.5 * (m - 15)),
    error_share=lambda m: 0.0 if m < 25 else 0.2,
)


def analyst(threshold: float = 0.8) -> Analyst:
    return Analyst(Models(toy_model()), Thresholds(threshold))


def judge_one(of: Analyst, tick_: Tick) -> Risk:
    [risk] = of.judge([tick_]).risks
    return risk


def live(of: Analyst, shape: Shape, count: int, seed: int = 1) -> list[tuple[float, Verdicts]]:
    """Minutes close and ticks come as the analyzer gives them."""
    rng = random.Random(seed)
    told = []
    for i in range(6, 6 * count + 1):
        time_s = T0 + 10 * i
        if (i - 1) % 6 == 0 and i > 6:
            of.learn(minutes(1, shape, rng, start_s=T0 + 60 * ((i - 1) // 6 - 1)))
        told.append((time_s, of.judge([tick(time_s, shape, rng)])))
    return told


def test_with_too_little_past_it_says_how_much_it_has_and_needs() -> None:
    a = analyst()
    risk = judge_one(a, tick(T0 + 60, CALM))
    assert (risk.state, risk.score, risk.minutes_seen, risk.minutes_needed) == ("learning", None, 0, 2)
    a.learn(minutes(1, CALM))
    assert judge_one(a, tick(T0 + 70, CALM)).minutes_seen == 1
    a.learn(minutes(2, CALM))
    risk = judge_one(a, tick(T0 + 130, CALM))
    assert (risk.state, risk.minutes_seen) == ("scored", 2)
    assert risk.score is not None
    assert 0 <= risk.score < 0.2


def test_without_a_model_no_score_is_made_up_but_anomalies_go_on() -> None:
    off = Analyst(Models(None), Thresholds(0.8))
    off.learn(minutes(20, CALM))
    slow = Shape(p50_ms=lambda m: 200.0)
    verdicts = [off.judge([tick(T0 + 1200 + 10 * i, slow)]) for i in range(3)]
    risk = verdicts[0].risks[0]
    assert (risk.state, risk.score, risk.model_version, risk.contributions) == ("learning", None, "off", ())
    assert [a.metric for v in verdicts for a in v.anomalies] == ["p95_ms"]


def test_without_traffic_it_is_quiet() -> None:
    a = analyst()
    a.learn(minutes(20, CALM))
    none = Shape(requests=lambda m: 0.0)
    risk = judge_one(a, tick(T0 + 1200, none))
    assert (risk.state, risk.score) == ("quiet", None)


def test_a_growing_fault_is_alerted_before_it_fails_and_the_alert_turns_out_right() -> None:
    a = analyst()
    told = live(a, RISING, 32)
    alerts = [alert for _, v in told for alert in v.alerts]
    [raised] = [alert for alert in alerts if alert.raised_s == alert.updated_s]
    assert raised.raised_s < T0 + 25 * 60
    assert raised.reasons
    assert raised.reasons[0].startswith("p95 latency is")
    last = alerts[-1]
    assert last.id == raised.id
    assert last.outcome == "failed"
    assert last.failed_s == T0 + 25 * 60
    assert last.lead_s == last.failed_s - raised.raised_s
    states = {risk.state for time_s, v in told for risk in v.risks if time_s > T0 + 27 * 60}
    assert states == {"failing"}


def test_a_calm_hour_raises_no_alert() -> None:
    assert [alert for _, v in live(analyst(), CALM, 60) for alert in v.alerts] == []


def test_what_fails_already_gets_no_score_and_no_prediction() -> None:
    a = analyst()
    a.learn(minutes(20, CALM))
    burning = Shape(error_share=lambda m: 0.5, p50_ms=lambda m: 900.0)
    verdicts = a.judge([tick(T0 + 1200, burning)])
    assert verdicts.risks[0].state == "failing"
    assert verdicts.risks[0].score is None
    assert verdicts.alerts == []


def test_it_resumes_from_stored_minutes_and_open_alerts_without_paging_twice() -> None:
    first = analyst()
    told = live(first, RISING, 24)
    alerts = {alert.id: alert for _, v in told for alert in v.alerts}
    second = analyst()
    second.restore(list(alerts.values()), [])
    second.learn(minutes(23, RISING, random.Random(1)))
    after = second.judge([tick(T0 + 24 * 60 + 10, RISING)])
    assert after.risks[0].state == "scored"
    assert {alert.id for alert in after.alerts} <= set(alerts)


def test_the_same_input_gives_the_same_verdicts() -> None:
    assert live(analyst(), RISING, 28) == live(analyst(), RISING, 28)


def test_entities_are_judged_apart() -> None:
    a = analyst()
    other = Entity("demo", "search", "/search", "test")
    slow = Shape(p50_ms=lambda m: 250.0)
    a.learn(minutes(20, CALM) + minutes(20, CALM, entity=other))
    risks = a.judge([tick(T0 + 1200, CALM), tick(T0 + 1200, slow, entity=other)]).risks
    assert [risk.entity for risk in risks] == [PAY, other]
    assert (risks[0].score or 0) < 0.2 < 0.8 < (risks[1].score or 0)


def test_a_clock_that_jumps_ahead_leaves_a_gap_and_no_alarm() -> None:
    a = analyst()
    a.learn(minutes(20, CALM))
    far = T0 + 86_400.0 * 3
    assert a.judge([tick(far, CALM)]).alerts == []
    a.learn(minutes(3, CALM, start_s=far))
    risk = judge_one(a, tick(far + 180, CALM))
    assert (risk.state, risk.minutes_seen) == ("scored", 3)  # what is four hours old is compared with no more


def many(count: int, of: Analyst) -> list[Entity]:
    entities = [Entity("o", "s", f"/{i}", "e") for i in range(count)]
    for i in range(3):
        of.learn([(entity, window(T0 + 60 * i, 60, CALM)) for entity in entities])
    return entities


def test_a_thousand_entities_cost_one_model_call(monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy_model()
    calls: list[int] = []
    score = model.score
    monkeypatch.setattr(model, "score", lambda rows, explain: calls.append(len(rows)) or score(rows, explain))
    a = Analyst(Models(model), Thresholds(0.8))
    risks = a.judge([tick(T0 + 180, CALM, entity=entity) for entity in many(1000, a)]).risks
    assert calls == [1000]
    assert len(risks) == 1000


def test_more_entities_than_a_tick_holds_take_turns_and_each_is_judged_once() -> None:
    a = analyst()
    entities = many(JUDGED_A_TICK + 10, a)
    judged = []
    for time_s in (T0 + 180, T0 + 190):
        judged += [risk.entity for risk in a.judge([tick(time_s, CALM, entity=e) for e in entities]).risks]
    assert sorted(judged) == sorted(entities)


@pytest.mark.parametrize("count", [JUDGED_A_TICK + 10, 4 * JUDGED_A_TICK + 10])
def test_a_crowd_that_nothing_is_known_of_yet_is_said_to_be_learned(count: int) -> None:
    a = analyst()
    crowd = [tick(T0, CALM, entity=Entity("o", "s", f"/{i}", "e")) for i in range(count)]
    risks = [r for i in range(6) for r in a.judge([replace(t, time_s=T0 + 10 * i) for t in crowd]).risks]
    assert {risk.state for risk in risks} == {"learning"}
    assert {risk.entity for risk in risks} == {each.entity for each in crowd}


def test_an_entity_given_twice_in_a_tick_is_judged_once_by_what_was_said_last() -> None:
    a = analyst()
    a.learn(minutes(20, CALM))
    [risk] = a.judge([tick(T0 + 1200, CALM), tick(T0 + 1200, Shape(requests=lambda m: 0.0))]).risks
    assert risk.state == "quiet"


def test_absurd_numbers_are_not_known_and_harm_nobody_else() -> None:
    a, other = analyst(), Entity("demo", "search", "/search", "test")
    sane = analyst()
    for i in range(40):
        good = window(T0 + 60 * i, 60, CALM)
        bad = replace(
            good, p95_ms=1e300, mean_ms=float("inf"), p50_ms=float("nan"), requests=10**18, inflight_max=2**62
        )
        end_s = T0 + 60 * (i + 1)
        a.learn([(other, bad), (PAY, good)], {other: {"quota_left": -1e308, "cert_left_s": float("-inf")}})
        sane.learn([(PAY, good)])
        verdicts = a.judge([replace(tick(end_s, CALM, entity=other), w1=bad, w5=bad), tick(end_s, CALM)])
        [alone] = sane.judge([tick(end_s, CALM)]).risks
        absurd, risk = verdicts.risks
        assert risk == alone
        assert absurd.score is None or 0 <= absurd.score <= 1
        assert not any("nan" in c.sentence or "inf " in c.sentence for c in absurd.contributions)


def test_every_organisation_is_judged_by_its_own_model_and_the_rows_are_shown_with_it() -> None:
    usual, own = toy_model(), toy_model(seed=2)
    shown: list[tuple[str, str, int]] = []
    a = Analyst(
        Models(usual, {"shop": own, "dark": None}),
        Thresholds(),
        observer=lambda org, version, rows, time_s: shown.append((org, version, len(rows))),
    )
    entities = [Entity(org, "s", "/", "e") for org in ("demo", "shop", "dark")]
    for entity in entities:
        a.learn(minutes(3, CALM, entity=entity))
    risks = a.judge([tick(T0 + 180, CALM, entity=entity) for entity in entities]).risks
    assert [risk.model_version for risk in risks] == [usual.version, own.version, "off"]
    assert shown == [("demo", usual.version, 1), ("shop", own.version, 1)]


def test_what_stands_beside_the_windows_and_what_a_service_calls_reach_the_features() -> None:
    shown: list[np.ndarray] = []
    a = Analyst(Models(toy_model()), Thresholds(), observer=lambda org, version, rows, time_s: shown.append(rows))
    called = Entity(PAY.org, "ledger", "/book", PAY.environment)
    a.connect({(PAY.org, PAY.environment, PAY.service, "ledger")})
    for i in range(10):
        now = [(entity, window(T0 + 60 * i, 60, CALM)) for entity in (PAY, called)]
        a.learn(now, {PAY: {"quota_left": 0.5 - 0.01 * i}})
    a.judge([tick(T0 + 600, CALM, entity=entity) for entity in (PAY, called)])
    quota, worst = (FEATURE_NAMES.index(name) for name in ("quota_left_min", "dependency_p95_ratio"))
    [rows] = shown
    assert 35 < rows[0, quota] < 50
    assert rows[0, worst] == pytest.approx(1.0, abs=0.1)
    assert np.isnan(rows[1, [quota, worst]]).all()


def test_who_is_asked_every_third_minute_is_idle_in_between_unless_nobody_is_heard_of() -> None:
    def traffic(beside: bool) -> float:
        shown: list[np.ndarray] = []
        a = Analyst(Models(toy_model()), Thresholds(), observer=lambda org, version, rows, time_s: shown.append(rows))
        other = Entity(PAY.org, "ledger", "/book", PAY.environment)
        for i in range(61):
            asked = ([PAY] if i % 3 == 0 else []) + ([other] if beside else [])
            a.learn([(entity, window(T0 + 60 * i, 60, CALM)) for entity in asked])
        a.judge([tick(T0 + 61 * 60, CALM)])
        return float(shown[0][0, FEATURE_NAMES.index("rps_ratio_15m")])

    assert traffic(beside=True) == pytest.approx(1 / 3, abs=0.1)
    assert traffic(beside=False) == pytest.approx(1.0)  # perhaps nothing was recorded


def test_a_verdict_has_all_horizons_the_simple_scores_beside_it_and_what_it_lacks() -> None:
    a = analyst()
    a.learn(minutes(20, CALM))
    risk = judge_one(a, tick(T0 + 1200, CALM))
    assert [h.horizon_s for h in risk.horizons] == [300, 900, 3600]
    assert risk.score == risk.horizons[1].score
    assert risk.horizons[1].threshold == 0.8
    assert set(risk.baselines) >= {"persistence (error rate)", "robust z (p95)"}
    assert risk.note.startswith("learning: 0 of 24 h")


def test_without_a_threshold_the_budget_of_false_alarms_decides_by_organisation() -> None:
    thresholds = Thresholds(None, 0.5, {"careful": 0.1})
    horizon = toy_model().alerting
    assert (thresholds.of(horizon, "demo"), thresholds.of(horizon, "careful")) == (0.8, 0.9)
    assert (thresholds.budget("demo"), thresholds.budget("careful"), Thresholds(0.8).budget("demo")) == (0.5, 0.1, None)
    assert Thresholds(None, 0.01).of(horizon, "demo") == 0.9  # stricter than anything measured: the strictest
    assert Thresholds(None, 100.0).of(horizon, "demo") == 0.5
    assert 0.8 < Thresholds(None, 0.2).of(horizon, "demo") < 0.9


def test_without_reasons_the_score_is_the_same() -> None:
    told = []
    for explain in (True, False):
        a = Analyst(Models(toy_model()), Thresholds(0.8), explain=explain)
        a.learn(minutes(20, CALM))
        told.append(judge_one(a, tick(T0 + 1200, CALM)))
    assert told[0].score == told[1].score
    assert told[0].baselines == told[1].baselines != {}
    assert told[0].contributions
    assert not told[1].contributions


def test_an_alert_ends_though_nobody_asks_any_api_any_more() -> None:
    a = analyst()
    raised = [alert for _, v in live(a, RISING, 22) for alert in v.alerts if alert.raised_s == alert.updated_s]
    assert len(raised) == 1
    later = [a.judge([], T0 + 60 * m) for m in range(22, 60)]
    assert [(x.state, x.outcome) for v in later for x in v.alerts] == [("closed", "no_failure")]


def test_an_empty_tick_is_no_trouble() -> None:
    assert analyst().judge([]) == Verdicts()
    assert (
        analyst().judge([Tick(T0, PAY, *(WindowStats(T0 - s, s) for s in (60, 300, 900)), 0.0)]).risks[0].state
        == "quiet"
    )


def around(*, other: Shape, service: str = "ledger", crowd: int = 0) -> np.ndarray:
    """The features by which PAY is judged when what it calls, or another route of its own, has this shape now."""
    shown: list[np.ndarray] = []
    a = Analyst(Models(toy_model()), Thresholds(), observer=lambda org, version, rows, time_s: shown.append(rows))
    called = Entity(PAY.org, service, "/book", PAY.environment)
    a.connect({(PAY.org, PAY.environment, PAY.service, "ledger")})
    for i in range(4):
        a.learn([(entity, window(T0 + 60 * i, 60, CALM)) for entity in (PAY, called)])
    many = [Entity("a crowd", "s", f"/{i}", "e") for i in range(crowd)]
    for i in range(6):  # everybody has had a turn
        time_s = T0 + 240 + 10 * i
        a.judge([tick(time_s, CALM), tick(time_s, other, entity=called), *(tick(time_s, CALM, entity=e) for e in many)])
    rows = shown[-1]
    assert len(rows) == 1 + (not crowd and other is CALM)
    return rows[0]


@pytest.mark.parametrize("crowd", [0, JUDGED_A_TICK + 10])
@pytest.mark.parametrize(("service", "feature"), [("ledger", "dependency"), (PAY.service, "service")])
def test_who_fails_already_or_has_another_turn_is_still_somebodys_neighbour(
    service: str, feature: str, crowd: int
) -> None:
    burning = Shape(error_share=lambda m: 0.5, p50_ms=lambda m: 900.0)
    row = around(other=burning, service=service, crowd=crowd)
    assert row[FEATURE_NAMES.index(f"{feature}_error_rate")] == pytest.approx(0.1)  # one of five minutes
    assert row[FEATURE_NAMES.index(f"{feature}_p95_ratio")] > 2


def test_nobody_hears_of_another_organisations_neighbour_of_the_same_name() -> None:
    shown: list[np.ndarray] = []
    a = Analyst(Models(toy_model()), Thresholds(), observer=lambda org, version, rows, time_s: shown.append(rows))
    theirs = Entity("others", PAY.service, PAY.route, PAY.environment)
    a.learn(minutes(4, CALM) + minutes(4, CALM, entity=theirs))
    a.judge([tick(T0 + 240, CALM), tick(T0 + 240, Shape(error_share=lambda m: 0.5), entity=theirs)])
    assert shown[0][0, FEATURE_NAMES.index("service_error_rate")] == 0


def test_after_hours_of_silence_it_is_learned_again_and_no_model_is_missed() -> None:
    a, other = analyst(), Entity("demo", "search", "/search", "test")
    a.judge([], T0)
    a.learn(minutes(60, CALM))
    for i in range(290, 301):
        a.learn(minutes(1, CALM, entity=other, start_s=T0 + 60 * i))
    risk = judge_one(a, tick(T0 + 60 * 301, CALM))
    assert (risk.state, risk.minutes_seen, risk.note) == ("learning", 0, "learning: 0 of 2 min")


def test_what_an_analyst_judges_by_is_what_a_recording_gives() -> None:
    """Zero skew through the whole of it: who fails is in the recording, and so it must be in the live rows."""
    count, called = 45, Entity(PAY.org, "ledger", "/book", PAY.environment)
    rng, shown = random.Random(4), dict[float, np.ndarray]()
    shapes = {PAY: CALM, called: Shape(error_share=lambda m: 0.3 if m > 40 else 0.0, p50_ms=lambda m: 50.0 + 3 * m)}
    closed = {entity: minutes(count, shape, rng, entity=entity) for entity, shape in shapes.items()}
    a = Analyst(
        Models(toy_model()), Thresholds(), explain=False, observer=lambda o, v, rows, t: shown.__setitem__(t, rows[0])
    )
    a.connect({(PAY.org, PAY.environment, PAY.service, "ledger")})
    for i in range(count):
        now = [(entity, closed[entity][i][1]) for entity in shapes]
        time_s = T0 + 60 * (i + 1)
        a.judge([Tick(time_s, e, w, replace(w, span_s=300), replace(w, span_s=900), 15.0) for e, w in now], time_s)
        a.learn(now)
    table = np.array([[row_of(w) for _, w in closed[entity]] for entity in shapes], dtype=np.float32)
    recorded = System(PAY.org, T0, tuple(shapes), table.transpose(0, 2, 1), frozenset({(PAY.service, "ledger")}))
    learned = Recorded(recorded).rows(np.arange(count))[0]
    judged = {round((time_s - T0) / 60) - 1: row for time_s, row in shown.items()}
    assert len(judged) > 40
    for minute, row in judged.items():
        same = np.isclose(row, learned[minute], rtol=1e-5, atol=1e-6, equal_nan=True)
        assert same.all(), (minute, [FEATURE_NAMES[f] for f in np.flatnonzero(~same)])
