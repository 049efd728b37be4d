"""What is forecast, from stored windows to stored forecasts, and the process that does it."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from time import sleep
from types import MappingProxyType

import pytest
import structlog
from structlog.testing import CapturingLogger
from tests.gateway.world import gateway, route, run, service, snapshot, upstream

from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.limits.reader import LimitsReader
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.forecast_quotas import QuotaNow, quotas_now
from foregate.app.forecast_runs import EVERY_S, FIRST_AFTER_S, ForecastRuns
from foregate.app.forecasting import EVERYTHING, NOT_INSTALLED, Forecasting
from foregate.kernel.clock import ManualClock, SystemClock
from foregate.kernel.limits import FORECAST_RUN_S_MAX
from foregate.predict.forecast import Plan
from foregate.predict.forecast.models import Model
from foregate.wire.entity import Entity
from foregate.wire.forecast import Forecast
from foregate.wire.objective import Budget, Objective, ObjectiveState
from foregate.wire.policies import Quota
from foregate.wire.usage import Usage, UsageKey, UsageSums
from foregate.wire.window import StoredWindow, WindowStats

PAY = Entity("default", "payments", "/pay", "production")
RARE = Entity("default", "reports", "/year", "production")
HOUR_S = 3_600
NOW_S = 20_000 * 86_400.0 + 10 * HOUR_S + 120.0


def nothing_installed(_plan: Plan) -> tuple[Model, ...]:
    raise ImportError("statsforecast")


class Machine:
    """A data directory with the windows of `days` days, and whoever forecasts from them."""

    def __init__(self, folder: Path, days: float) -> None:
        self.clock = ManualClock(NOW_S)
        self.series = EmbeddedSeries(folder / "series")
        self.findings = EmbeddedFindings(folder / "findings")
        windows = [
            StoredWindow(entity, self.stats(start_s, span_s, share), b"", b"")
            for entity, share in ((PAY, 1.0), (RARE, 0.01))
            for span_s in (900, HOUR_S)
            for start_s in range(int(NOW_S - days * 86_400) // HOUR_S * HOUR_S, int(NOW_S) // span_s * span_s, span_s)
        ]
        self.series.append(windows, {("events", 0): 1}, {"accepted": 1})

    def stats(self, start_s: float, span_s: int, share: float) -> WindowStats:
        hour = start_s / HOUR_S
        requests = round(span_s * share * (2.0 + math.sin(2 * math.pi * hour / 24) + 0.3 * math.sin(hour * 7)))
        return WindowStats(start_s, span_s, requests, requests // 100, p95_ms=80.0 + 10.0 * math.sin(hour))

    def run(
        self, entities_max: int = 20, quotas: Mapping[Entity, QuotaNow] = MappingProxyType({})
    ) -> dict[tuple[Entity, str, int], Forecast]:
        log = structlog.wrap_logger(CapturingLogger())
        made = Forecasting(
            self.series,
            self.findings,
            self.clock,
            log,
            nothing_installed,
            quotas=lambda: quotas,
            entities_max=entities_max,
        ).run()
        self.made = made
        return {(one.entity, one.metric, one.step_s): one for one in self.findings.forecasts()}

    def close(self) -> None:
        self.series.close()
        self.findings.close()


def with_rolled_up_hours(machine: Machine) -> None:
    """What the analyzer does: until then the hours count as stale."""
    merge = lambda parts, span_s, start_s: StoredWindow(  # noqa: E731
        parts[0].entity,
        WindowStats(
            start_s, span_s, sum(p.stats.requests for p in parts), sum(p.stats.errors for p in parts), p95_ms=80.0
        ),
        b"",
        b"",
    )
    while machine.series.roll_up(merge, 5_000):
        pass


def test_the_busiest_routes_are_forecast_for_a_day_and_a_week_and_it_is_said_what_is_not_installed(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path, 15)
    with_rolled_up_hours(machine)
    machine.findings.put_objectives(
        [
            ObjectiveState(
                NOW_S - 60, PAY, Objective(availability=0.99),
                (Budget("availability", 0.99, 1e6, 9e3, 1e5, 0.02),), 15.0,
            )
        ]
    )  # fmt: skip
    hours = range(int(NOW_S - 15 * 86_400) // HOUR_S * HOUR_S, int(NOW_S) // HOUR_S * HOUR_S, HOUR_S)
    used = [Usage(UsageKey(h, "k", "ai", "m"), UsageSums(1, 0, 10, 5, 0, 1.0 + h // HOUR_S % 24)) for h in hours]
    machine.series.append([], {("events", 0): 2}, {}, used)
    day_s = NOW_S // 86_400 * 86_400
    quota = QuotaNow(0.5, day_s, day_s + 86_400)
    found = machine.run(entities_max=1, quotas={PAY: quota})
    used = found.pop((PAY, "quota", HOUR_S))
    # Half of it went in the day's first ten hours, which have more traffic than what comes.
    assert used.broken is not None
    assert used.broken.kind == "quota"
    assert used.broken.median_s is None or NOW_S < used.broken.median_s <= day_s + 86_400
    spent = sum(point.median for point in used.points[:14])
    true = sum(machine.stats(point.time_s, HOUR_S, 1.0).requests for point in used.points[:14])
    begun = sum(machine.stats(day_s + HOUR_S * i, HOUR_S, 1.0).requests for i in range(10))
    assert spent == pytest.approx(0.5 * true / begun, rel=0.1)
    cost = found.pop((EVERYTHING, "cost", HOUR_S))  # of all models together
    assert cost.points[0].median == pytest.approx(1.0 + NOW_S // HOUR_S % 24)
    assert {key[0] for key in found} == {PAY}
    assert {(metric, step_s) for _, metric, step_s in found} == {
        ("requests", 900), ("p95_ms", 900), ("requests", 3_600), ("p95_ms", 3_600), ("error_budget", 3_600),
    }  # fmt: skip
    day = found[PAY, "requests", 900]
    assert (day.state, len(day.points), day.note) == ("forecast", 96, NOT_INSTALLED)
    assert day.points[0].time_s == NOW_S // 900 * 900
    true = [machine.stats(point.time_s, 900, 1.0).requests for point in day.points]
    assert sum(p.low95 <= value <= p.high95 for p, value in zip(day.points, true, strict=True)) > 70
    spent = found[PAY, "error_budget", HOUR_S]
    assert spent.broken is not None
    assert spent.broken.kind == "availability"
    assert spent.broken.median_s is not None
    assert NOW_S < spent.broken.median_s < NOW_S + 2 * 86_400
    machine.close()


def test_a_forecast_stands_for_some_steps_and_what_is_learning_is_looked_at_again_with_each(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 3)
    with_rolled_up_hours(machine)
    found = machine.run()
    assert machine.made == 8
    assert found[PAY, "requests", HOUR_S].note == "learning: 3.0 of 14 days"
    machine.run()
    assert machine.made == 0
    machine.clock.advance(900)
    machine.run()
    assert machine.made == 0
    machine.clock.advance(2_700)
    machine.run()
    assert machine.made == 8
    machine.close()


def test_a_young_foregate_says_how_much_it_has_seen(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 0.5)
    found = machine.run()
    assert found[PAY, "requests", 900].note == "learning: 0.5 of 2 days"
    machine.close()


def test_where_a_route_was_not_asked_while_others_were_it_had_no_requests(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 3)
    nights = [NOW_S // 86_400 * 86_400 - 86_400 * day + 3_600 * hour for day in range(3) for hour in (2, 3)]
    lone = Entity("default", "lone", "/", "production")
    day = range(int(NOW_S - 3 * 86_400) // 900 * 900, int(NOW_S) // 900 * 900, 900)
    asked = [at for at in day if at // HOUR_S * HOUR_S not in nights]
    windows = [StoredWindow(lone, WindowStats(at, 900, 100 + at // 900 % 7), b"", b"") for at in asked]
    machine.series.append(windows, {("events", 0): 2}, {})
    found = machine.run()[lone, "requests", 900]
    assert found.model == "seasonal_naive"
    quiet = [point.median for point in found.points if point.time_s // HOUR_S * HOUR_S - 86_400 in nights]
    assert quiet == [0.0] * 8
    machine.close()


def test_without_any_traffic_nothing_is_forecast(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 0.0)
    assert machine.run() == {}
    machine.close()


def test_of_the_scarcest_quota_it_is_known_what_is_left_and_until_when(tmp_path: Path) -> None:
    async def main() -> None:
        quotas = (Quota(10, "day", "of-route", "route"), Quota(5, "month", "of-service", "service"))
        async with upstream() as (_, port):
            services, routes = [service(port)], [route("/a", auth=(), quotas=quotas)]
            reader, clock = LimitsReader(tmp_path / "limits.bin"), SystemClock()
            look = lambda: quotas_now(lambda: snapshot(services, routes), reader, clock)  # noqa: E731
            assert look() == {}
            async with gateway(services, routes, folder=tmp_path) as world:
                await (await world.client.request("GET", world.url("/a"))).read()
                ((whose, found),) = look().items()
        assert (whose.service, whose.route) == ("svc", "/a")
        # An organisation that names its API the same has none of our quota.
        assert (whose.org, whose.environment) == (snapshot([], []).org, snapshot([], []).environment)
        assert found.left == pytest.approx(0.8)
        assert found.start_s <= clock.now() < found.end_s
        assert 28 * 86_400 <= found.end_s - found.start_s <= 31 * 86_400
        assert found.per_request(100.0) == pytest.approx(0.002)
        assert found.per_request(0.0) is None

    run(main)


def runs(code: str) -> tuple[ForecastRuns, ManualClock, CapturingLogger]:
    clock, log = ManualClock(0.0), CapturingLogger()
    wrapped = structlog.wrap_logger(log, processors=[])
    return ForecastRuns((sys.executable, "-S", "-c", code), clock, wrapped), clock, log


def until_said(made: ForecastRuns, log: CapturingLogger) -> None:
    for _ in range(500):
        made.step()
        if log.calls:
            return
        sleep(0.02)


def test_a_run_that_fails_is_said_and_tried_again_later() -> None:
    made, clock, log = runs("raise SystemExit(3)")
    made.step()
    assert log.calls == []  # not at once
    clock.advance(FIRST_AFTER_S)
    until_said(made, log)
    assert log.calls[0].kwargs["event"] == "forecaster_failed"
    log.calls.clear()
    clock.advance(EVERY_S)
    until_said(made, log)
    assert [call.kwargs["exit"] for call in log.calls] == [3]
    made.close()


def test_a_run_that_takes_too_long_is_ended() -> None:
    made, clock, log = runs("import sys; sys.stdin.read()")
    clock.advance(FIRST_AFTER_S)
    made.step()
    clock.advance(FORECAST_RUN_S_MAX + 1.0)
    until_said(made, log)
    assert log.calls[0].kwargs["event"] == "forecaster_took_too_long"
    made.close()
