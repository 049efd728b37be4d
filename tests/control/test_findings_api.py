"""GET /risks, /alerts, /anomalies over a real findings store."""

from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tests.control.world import NOW_S, console, entity, world

from foregate.control.api.risks import thin
from foregate.kernel.clock import ManualClock
from foregate.wire.alert import Alert
from foregate.wire.anomaly import Anomaly
from foregate.wire.risk import Contribution, Risk


def risk(service: str, time_s: float, score: float | None, state: str = "scored") -> Risk:
    shares = (Contribution("p95_ratio", 3.2, 1.4, "p95 latency is 480 ms, 3.2× its usual 150 ms"),)
    return Risk(time_s, entity(service), state, score, 900, "m-1", 12.0, 2.0, shares)  # type: ignore[arg-type]


def alert(number: int, raised_s: float, state: str = "closed", outcome: str = "failed") -> Alert:
    return Alert(
        f"alr_{number:04d}",
        raised_s,
        raised_s + 60,
        entity("payments"),
        state,
        outcome,
        0.85,
        0.93,
        0.8,
        900,
        "m-1",  # type: ignore[arg-type]
        "payments /payments is likely to fail",
        ("p95 latency is 480 ms",),
        raised_s + 240,
        240.0,
        raised_s + 900,
    )


def test_the_newest_verdict_per_route_comes_with_its_reasons(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        assert served.get("/risks")["risks"] == []
        here.findings.put_risks([risk("payments", NOW_S - 20, 0.3), risk("ai", NOW_S - 10, 0.1)])
        here.findings.put_risks([risk("payments", NOW_S - 10, 0.91), risk("search", NOW_S - 10, None, "learning")])
        answer = served.get("/risks")
        assert [(r["entity"]["service"], r["score"]) for r in answer["risks"]] == [
            ("payments", 0.91),
            ("ai", 0.1),
            ("search", None),
        ]
        assert (answer["threshold"], answer["model_version"]) == (0.8, "m-1")
        assert answer["risks"][0]["contributions"][0] == {
            "feature": "p95_ratio",
            "value": 3.2,
            "shap": 1.4,
            "sentence": "p95 latency is 480 ms, 3.2× its usual 150 ms",
        }
        assert answer["risks"][2]["state"] == "learning"


def test_a_silent_predictor_is_shown_as_stale(tmp_path: Path) -> None:
    clock = ManualClock(NOW_S)
    with world(tmp_path, clock) as here, console(here.deps()) as served:
        here.findings.put_risks([risk("ai", NOW_S, 0.1)])
        assert [r["stale"] for r in served.get("/risks")["risks"]] == [False]
        assert not served.get("/status")["judgement_stale"]
        clock.advance(61)
        assert [r["stale"] for r in served.get("/risks")["risks"]] == [True]
        assert served.get("/status")["judgement_stale"]


def test_a_verdict_from_before_the_clock_was_set_back_is_shown_as_stale(tmp_path: Path) -> None:
    with world(tmp_path, ManualClock(NOW_S)) as here, console(here.deps()) as served:
        here.findings.put_risks([risk("ai", NOW_S + 50, 0.1)])
        assert [r["stale"] for r in served.get("/risks")["risks"]] == [False]
        assert not served.get("/status")["judgement_stale"]
        here.findings.put_risks([risk("ai", NOW_S + 61, 0.1)])
        assert [r["stale"] for r in served.get("/risks")["risks"]] == [True]
        assert served.get("/status")["judgement_stale"]


def test_history_keeps_every_peak_and_stays_bounded(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        rng = Random(2)
        scores = [(NOW_S - 3_000 + i * 10, rng.random() * 0.5) for i in range(300)]
        scores[137] = (scores[137][0], 0.97)
        here.findings.put_risks([risk("ai", t, s) for t, s in scores])
        series = served.get("/risks/history?range_s=3600&service=ai")["series"]
        assert len(series) == 1
        assert max(p["score"] for p in series[0]["points"]) == 0.97
        assert len(series[0]["points"]) <= 241
        assert served.get("/risks/history?service=nobody")["series"] == []


@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.none() | st.floats(0, 1)), max_size=60),
    st.floats(1, 600),
)
def test_thinning_never_hides_a_peak_and_never_makes_one_up(
    points: list[tuple[int, float | None]], step_s: float
) -> None:
    history = [risk("ai", float(t), score) for t, score in sorted(points, key=lambda p: p[0])]
    kept = thin(history, step_s)
    scores = [score for _, score in points if score is not None]
    assert max((p.score for p in kept if p.score is not None), default=None) == max(scores, default=None)
    assert {(p.t, p.score) for p in kept} <= {(float(t), score) for t, score in points}
    assert [p.t for p in kept] == sorted(p.t for p in kept)
    assert len({p.t // step_s for p in kept}) == len(kept)


def test_pages_of_alerts_hold_each_alert_once_newest_first(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        made = [alert(i, NOW_S - 100 * (i // 3)) for i in range(25)]  # three at a time share their moment
        here.findings.put_alerts(made)
        seen, cursor = [], ""
        while True:
            page = served.get(f"/alerts?limit=7{cursor}")
            seen += [(a["raised_s"], a["id"]) for a in page["alerts"]]
            assert len(page["alerts"]) <= 7
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert len(seen) == len(set(seen)) == 25
        assert [t for t, _ in seen] == sorted((t for t, _ in seen), reverse=True)


def test_alerts_say_whether_they_came_true_and_how_early(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        here.findings.put_alerts([alert(1, NOW_S - 900), alert(2, NOW_S - 60, "open", "pending")])
        assert [a["id"] for a in served.get("/alerts?state=open")["alerts"]] == ["alr_0002"]
        closed = served.get("/alerts?state=closed")["alerts"][0]
        assert (closed["outcome"], closed["lead_s"]) == ("failed", 240.0)
        assert closed["reasons"] == ["p95 latency is 480 ms"]
        assert served.get("/alerts?state=opened", 400)["detail"].startswith("state")
        for cursor in ("nonsense", "bm9wZQ==", "%00", "bmFuIHg="):
            assert served.get(f"/alerts?cursor={cursor}", 400)["code"] == "invalid_parameter", cursor


def test_anomalies_of_the_range_come_newest_first(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        old, new = (
            Anomaly(name, at, at + 10, None, entity("ai"), "p95_ms", 480, 150, 9.0, "p95 is 480 ms")
            for name, at in (("old", NOW_S - 7_000), ("new", NOW_S - 70))
        )
        here.findings.put_anomalies([old, new])
        assert [a["id"] for a in served.get("/anomalies?range_s=600")["anomalies"]] == ["new"]
        assert [a["id"] for a in served.get("/anomalies?range_s=9000")["anomalies"]] == ["new", "old"]
