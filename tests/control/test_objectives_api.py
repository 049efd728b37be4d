"""GET /objectives and /forecast over a real findings store."""

from pathlib import Path

from tests.control.world import NOW_S, console, entity, world

from foregate.wire.alert import Alert
from foregate.wire.entity import Entity
from foregate.wire.forecast import Backtest, Broken, Forecast, ForecastPoint
from foregate.wire.objective import Budget, BurnRate, Objective, ObjectiveState


def state(service: str, left: float, time_s: float = NOW_S - 60.0) -> ObjectiveState:
    burn = (BurnRate(300, 2.5, 400.0, 1.0), BurnRate(3_600, None))
    budget = Budget("availability", 0.999, 1e6, 500.0, 1_000.0, left, burn, 7_200.0)
    return ObjectiveState(time_s, entity(service), Objective(availability=0.999), (budget,), 3.5, "3.5 of 30 days seen")


def made(who: Entity, metric: str = "requests", step_s: int = 900, made_s: float = NOW_S - 30.0) -> Forecast:
    points = tuple(ForecastPoint(NOW_S + step_s * i, 10.0, 8.0, 12.0, 6.0, 14.0) for i in range(3))
    table = (Backtest("seasonal_naive", 1.1, 3.0, 1.2, 0.82, 0.96), Backtest("mstl_ets", 0.7, 2.0, 0.8, None, None))
    broken = Broken("availability", NOW_S + 900, NOW_S, None) if metric == "error_budget" else None
    return Forecast(
        made_s, who, metric, step_s, "forecast", points, "mstl_ets", table, 8, made_s, 9.0, 2.0, broken=broken,  # type: ignore[arg-type]
    )  # fmt: skip


def test_objectives_come_with_the_most_spent_first_and_the_forecast_of_their_end(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        assert served.get("/objectives") == {"now_s": NOW_S, "objectives": []}
        here.findings.put_objectives([state("ai", 0.9), state("payments", -0.2, NOW_S - 600), state("search", 0.1)])
        here.findings.put_forecasts([made(entity("ai"), "error_budget", 3_600), made(entity("ai"))])
        found = served.get("/objectives")["objectives"]
        assert [one["entity"]["service"] for one in found] == ["payments", "search", "ai"]
        assert [one["stale"] for one in found] == [True, False, False]
        assert found[0]["forecast"] is None
        assert found[2]["forecast"] == {
            "kind": "availability", "made_s": NOW_S - 30, "until_s": NOW_S + 3 * 3_600,
            "median_s": NOW_S + 900, "soonest_s": NOW_S, "latest_s": None,
        }  # fmt: skip
        (budget,) = found[2]["budgets"]
        assert (budget["left"], budget["broken_in_s"], found[2]["note"]) == (0.9, 7_200.0, "3.5 of 30 days seen")
        assert budget["burn"][1] == {"window_s": 3_600, "rate": None, "requests": 0.0, "bad": 0.0}
        assert found[2]["objective"]["availability"] == 0.999
        assert [one["entity"]["route"] for one in served.get("/objectives?route=/ai")["objectives"]] == ["/ai"]


def test_forecasts_are_asked_for_by_route_and_metric_and_unknown_ones_are_not_found(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        assert served.get("/forecast")["forecasts"] == []
        here.findings.put_forecasts(
            [
                made(entity("ai")),
                made(entity("ai"), "p95_ms", made_s=NOW_S - 12_000),
                made(Entity("", "", "", ""), "cost"),
            ]
        )
        assert [one["metric"] for one in served.get("/forecast")["forecasts"]] == ["cost", "p95_ms", "requests"]
        p95, requests = served.get("/forecast?service=ai&route=/ai")["forecasts"]
        assert (p95["stale"], requests["stale"]) == (True, False)
        assert requests["points"][0] == {
            "t": NOW_S, "median": 10.0, "low80": 8.0, "high80": 12.0, "low95": 6.0, "high95": 14.0,
        }  # fmt: skip
        assert [row["model"] for row in requests["backtest"]] == ["seasonal_naive", "mstl_ets"]
        assert (requests["model"], requests["runs_out"]) == ("mstl_ets", None)
        (cost,) = served.get("/forecast?metric=cost&service=")["forecasts"]
        assert cost["entity"]["service"] == ""
        assert served.get("/forecast?service=nothing", 404)["code"] == "not_found"
        assert served.get("/forecast?metric=weather", 400)["code"] == "invalid_parameter"


def test_a_burn_rate_among_the_alerts_says_that_it_is_one(tmp_path: Path) -> None:
    burning = Alert(
        "alr_1", NOW_S, NOW_S, entity("ai"), "open", "measured", 15.0, 15.0, 14.4, 3_600, "burn_rate", "ai /ai fails",
        ("2 % failed",), kind="burn_rate", severity="ticket", objective="latency",
    )  # fmt: skip
    with world(tmp_path) as here, console(here.deps()) as served:
        here.findings.put_alerts([burning])
        (alert,) = served.get("/alerts")["alerts"]
        assert (alert["kind"], alert["severity"], alert["objective"]) == ("burn_rate", "ticket", "latency")
        assert alert["outcome"] == "measured"
