"""GET /metrics, /events, /services, /status over real stores."""

from pathlib import Path
from random import Random

import pytest
from tests.control.world import NOW_S, console, entity, make_event, traffic, world

from foregate.control.api.metrics import point
from foregate.kernel.clock import ManualClock
from foregate.wire.window import WindowStats


def test_metrics_count_every_request_of_the_range_per_route_and_together(tmp_path: Path) -> None:
    events = traffic(Random(3), NOW_S - 300, NOW_S)
    with world(tmp_path) as here, console(here.deps()) as served:
        here.feed(events)
        answer = served.get("/metrics?range_s=600&span_s=60")
        by_route = {one["entity"]["service"]: sum(p["requests"] for p in one["points"]) for one in answer["series"]}
        assert by_route == {name: sum(e.service == name for e in events) for name in ("ai", "payments", "search")}
        assert sum(p["requests"] for p in answer["total"]) == len(events) == answer["summary"]["requests"]
        assert [p["t"] for p in answer["total"]] == sorted({e.time_s // 60 * 60 for e in events})
        only = served.get("/metrics?range_s=600&span_s=60&service=search&route=/search")
        assert [one["entity"]["service"] for one in only["series"]] == ["search"]
        assert served.get("/metrics?service=nobody")["series"] == []


def test_rates_and_quantiles_are_those_of_the_events(tmp_path: Path) -> None:
    rng = Random(4)
    slow = [make_event(rng, "ai", NOW_S - 30 + i / 100, 10.0 * (i + 1), 504 if i >= 90 else 200) for i in range(100)]
    with world(tmp_path) as here, console(here.deps()) as served:
        here.feed(slow)
        summary = served.get("/metrics?range_s=60")["summary"]
        assert summary["error_rate"] == summary["timeout_rate"] == 0.1
        assert summary["p50_ms"] == pytest.approx(500, rel=0.03)
        assert summary["p95_ms"] == pytest.approx(950, rel=0.03)


def test_the_open_window_is_rated_by_the_time_it_has_been_open() -> None:
    window = WindowStats(NOW_S, 10, requests=40)
    assert point(window, NOW_S + 4).rps == 10.0
    assert not point(window, NOW_S + 4).complete
    assert point(window, NOW_S + 500).rps == 4.0
    assert point(window, NOW_S + 500).complete
    assert point(window, NOW_S - 5).rps == 40.0  # a clock that is behind: at least one second


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("span_s=7", "span_s"),
        ("range_s=86400", "range_s"),
        ("range_s=1", "range_s"),
        ("range_s=abc", "range_s"),
        ("rang_s=60", "did you mean range_s?"),
        ("range_s=60&range_s=90", "more than once"),
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(tmp_path: Path, query: str, said: str) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        answer = served.get(f"/metrics?{query}", 400)
        assert answer["code"] == "invalid_parameter"
        assert said in answer["detail"]


def test_recent_events_come_newest_first_and_keep_what_they_say(tmp_path: Path) -> None:
    events = traffic(Random(5), NOW_S - 20, NOW_S)
    with world(tmp_path) as here, console(here.deps()) as served:
        assert served.get("/events")["events"] == []
        here.feed(events)
        found = served.get("/events?limit=10")["events"]
        assert [e["request_id"] for e in found] == [e.request_id for e in reversed(events)][:10]
        assert found[0]["entity"] == {"service": events[-1].service, "route": events[-1].route, "environment": "demo"}
        assert served.get("/events?limit=501", 400)["detail"].startswith("limit")


def test_services_show_targets_and_breakers_but_no_key(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        answer = served.get("/services")
        assert answer["gateway_url"] == "http://127.0.0.1:8080"
        targets = {t["url"]: t["breaker"] for service in answer["services"] for t in service["targets"]}
        assert targets["http://127.0.0.1:9001"] == "open"
        assert targets["http://127.0.0.1:9000"] is None
        assert [r["path"] for service in answer["services"] for r in service["routes"]] == [
            "/ai",
            "/payments",
            "/search",
        ]


def test_status_says_how_old_everything_is(tmp_path: Path) -> None:
    clock = ManualClock(NOW_S)
    with world(tmp_path, clock) as here, console(here.deps()) as served:
        empty = served.get("/status")
        assert (empty["windows_age_s"], empty["judgement_age_s"], empty["judgement_stale"]) == (None, None, True)
        here.feed([make_event(Random(1), "ai", NOW_S, 10)])
        status = served.get("/status")
        assert status["windows_age_s"] == NOW_S % 60
        assert status["accounts"]["accepted"] == 1
        assert status["lag_events"] == 0
        assert status["processes"][0]["pid"] == 4711
        assert (status["version"], status["environment"], status["has_lab"]) == ("9.9.9", "demo", False)
        clock.advance(3_600)
        assert served.get("/status")["windows_age_s"] is None


def test_the_model_card_is_given_and_its_absence_is_a_404(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        with console(here.deps()) as served:
            assert served.get("/model")["version"] == "model-of-the-test"
            assert served.get("/status")["model_version"] == "model-of-the-test"
        with console(here.deps(model_card=None)) as served:
            assert served.get("/model", 404)["code"] == "not_found"


def test_health_needs_no_token_and_readiness_asks_the_stores(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        for path in ("/health", "/healthz", "/health/live", "/health/ready"):
            answer = served.ask(path, token=None)
            assert (answer.status, answer.json()["status"]) == (200, "ok"), path
        here.findings.close()
        refused = served.ask("/health/ready", token=None)
        assert (refused.status, refused.json()["code"]) == (503, "store_unavailable")
        assert refused.headers["retry-after"] == "1"
        assert served.ask("/health/live", token=None).status == 200


def test_an_entity_without_traffic_is_not_made_up(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        here.feed([make_event(Random(1), "ai", NOW_S - 5, 10)])
        answer = served.get("/metrics")
        assert [one["entity"]["service"] for one in answer["series"]] == [entity("ai").service]
        assert len(answer["series"][0]["points"]) == 1
