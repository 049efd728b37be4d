"""The findings store: newest verdicts, history, paging."""

import msgspec
from tests.ports.conftest import Adapter

from foregate.wire.alert import Alert
from foregate.wire.anomaly import Anomaly
from foregate.wire.entity import Entity
from foregate.wire.forecast import Backtest, Broken, Forecast, ForecastPoint
from foregate.wire.objective import Budget, BurnRate, Objective, ObjectiveState
from foregate.wire.risk import Contribution, Risk

PAY = Entity("default", "payments", "/pay", "production")
ASK = Entity("default", "ai", "/ask", "production")


def risk(entity: Entity, time_s: float, score: float | None) -> Risk:
    why = (Contribution("p95", 3.0, 0.7, "p95 is 3 × usual"),)
    return Risk(time_s, entity, "scored" if score is not None else "learning", score, 900, "m1", 20.0, 15.0, why)


def alert(number: int, raised_s: float, **changes: object) -> Alert:
    plain = Alert(
        id=f"alr_{number}",
        raised_s=raised_s,
        updated_s=raised_s,
        entity=PAY,
        state="open",
        outcome="pending",
        score=0.9,
        peak_score=0.9,
        threshold=0.8,
        horizon_s=900,
        model_version="m1",
        title="payments /pay will probably fail",
        reasons=("p95 is 3 × usual",),
    )
    return msgspec.structs.replace(plain, **changes)


def anomaly(number: int, started_s: float, ended_s: float | None = None) -> Anomaly:
    return Anomaly(f"ano_{number}", started_s, started_s, ended_s, PAY, "p95_ms", 90.0, 30.0, 6.0, "p95 is 3 × usual")


def test_the_newest_risk_per_entity_comes_highest_first(adapter: Adapter) -> None:
    findings = adapter.open_findings()
    findings.put_risks([risk(PAY, 10, 0.9), risk(ASK, 10, 0.2)])
    findings.put_risks([risk(PAY, 20, 0.1), risk(ASK, 20, 0.3), risk(Entity("o", "s", "/", "e"), 20, None)])
    found = adapter.open_findings().latest_risks()
    assert [one.score for one in found] == [0.3, 0.1, None]
    assert found[0] == risk(ASK, 20, 0.3)


def test_a_risk_that_comes_too_late_does_not_become_the_newest(adapter: Adapter) -> None:
    findings = adapter.open_findings()
    findings.put_risks([risk(PAY, 20, 0.5)])
    findings.put_risks([risk(PAY, 10, 0.9)])
    assert [one.time_s for one in findings.latest_risks()] == [20]
    assert [one.time_s for one in findings.risk_history(PAY, 0, 100)] == [10, 20]


def test_after_the_clock_was_set_back_a_verdict_of_the_future_gives_way(adapter: Adapter) -> None:
    findings = adapter.open_findings()
    findings.put_risks([risk(PAY, 86_400, 0.02), risk(ASK, 400, 0.02)])
    findings.put_risks([risk(PAY, 100, 0.97), risk(ASK, 100, 0.97)])
    assert [(one.entity, one.time_s) for one in findings.latest_risks()] == [(PAY, 100), (ASK, 400)]
    findings.put_risks([risk(PAY, 110, 0.96)])
    assert findings.latest_risks()[0].time_s == 110


def test_history_is_half_open_and_of_one_entity(adapter: Adapter) -> None:
    findings = adapter.open_findings()
    findings.put_risks([risk(PAY, float(t), 0.5) for t in range(5)] + [risk(ASK, 2.0, 0.5)])
    assert findings.risk_history(PAY, 1, 4) == [risk(PAY, float(t), 0.5) for t in (1, 2, 3)]


def test_a_newer_version_of_an_alert_replaces_the_older(adapter: Adapter) -> None:
    findings = adapter.open_findings()
    findings.put_alerts([alert(1, 10)])
    closed = alert(1, 10, state="closed", outcome="failed", lead_s=300.0, closed_s=400.0)
    findings.put_alerts([closed])
    assert adapter.open_findings().alerts(state=None, limit=10, before=None) == [closed]
    assert findings.alerts(state="open", limit=10, before=None) == []


def test_alerts_come_newest_first_in_pages_without_gap_or_overlap(adapter: Adapter) -> None:
    findings = adapter.open_findings()
    findings.put_alerts([alert(n, float(n // 3)) for n in range(10)])  # several share a time
    seen: list[str] = []
    before = None
    while page := findings.alerts(state="open", limit=4, before=before):
        seen += [one.id for one in page]
        before = (page[-1].raised_s, page[-1].id)
    assert seen == [f"alr_{n}" for n in range(9, -1, -1)]


def test_anomalies_come_newest_first_from_a_time_on(adapter: Adapter) -> None:
    findings = adapter.open_findings()
    findings.put_anomalies([anomaly(n, float(n)) for n in range(5)])
    findings.put_anomalies([anomaly(4, 4.0, ended_s=9.0)])
    assert findings.anomalies(from_s=2, limit=2) == [anomaly(4, 4.0, ended_s=9.0), anomaly(3, 3.0)]


def test_expiry_spares_what_is_still_open(adapter: Adapter) -> None:
    findings = adapter.open_findings()
    findings.put_risks([risk(PAY, 10, 0.5), risk(PAY, 30, 0.5), risk(ASK, 10, 0.5)])
    findings.put_anomalies([anomaly(1, 10.0), anomaly(2, 10.0, ended_s=11.0), anomaly(3, 30.0, ended_s=31.0)])
    findings.put_alerts([alert(1, 10.0), alert(2, 10.0, state="closed"), alert(3, 30.0, state="closed")])
    assert findings.expire(20.0) == 2 + 1 + 1 + 1  # risks, the verdict on an entity that is gone, anomaly, alert
    assert [one.id for one in findings.anomalies(from_s=0, limit=10)] == ["ano_3", "ano_1"]
    assert [one.id for one in findings.alerts(state=None, limit=10, before=None)] == ["alr_3", "alr_1"]
    assert [one.entity for one in findings.latest_risks()] == [PAY]


def test_of_objectives_and_forecasts_the_newest_stands_and_old_ones_go(adapter: Adapter) -> None:
    findings = adapter.open_findings()
    objective = Objective(availability=0.99)
    budget = Budget("availability", 0.99, 1000.0, 5.0, 10.0, 0.5, (BurnRate(300, 2.0), BurnRate(3600, None)), 60.0)
    states = [ObjectiveState(float(t), PAY, objective, (budget,), 1.0, "1 of 30 days seen") for t in (10, 70)]
    for state in states:
        findings.put_objectives([state])
    assert findings.objectives() == states[1:]
    point = ForecastPoint(100.0, 3.0, 2.0, 4.0, 1.0, 5.0)
    tested = (Backtest("naive", 1.2, 3.0, 1.0, None, 0.9),)
    broken = Broken("availability", 130.0, 120.0, None)
    kept = [
        Forecast(float(made), PAY, "requests", step, "forecast", (point,), "naive", tested, broken=broken)
        for made, step in ((10, 900), (70, 900), (10, 3600))
    ]
    for one in kept:
        findings.put_forecasts([one])
    assert findings.forecasts() == findings.forecasts(entity=PAY) == kept[1:]
    assert findings.forecasts(entity=Entity("o", "else", "/", "e")) == []
    assert findings.expire(50.0) == 1
    assert findings.forecasts() == kept[1:2]
