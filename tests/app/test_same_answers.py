"""Windows and single events say the same about the same requests."""

import random
from pathlib import Path

import msgspec
import pytest
from tests.telemetry.making import T0, event, traffic

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.archive.writer import EmbeddedArchive
from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ERRORS
from foregate.telemetry.windows import Windower
from foregate.wire import TOPIC_EVENTS
from foregate.wire.ask import Ask, Measure
from foregate.wire.event import RequestEvent

EXACT: tuple[Measure, ...] = (
    "requests", "errors", "timeouts", "client_errors", "limited", "broken", "retries", "request_bytes",
    "response_bytes", "max_ms",
)  # fmt: skip
WITHIN_1_PERCENT: tuple[Measure, ...] = (
    "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "upstream_mean_ms",
)  # fmt: skip


def every_kind(seed: int, count: int) -> list[RequestEvent]:
    """Any status with any error, limit, circuit and number of attempts: also what no gateway of ours would send."""
    chance = random.Random(seed)
    codes = ["", "", *ERRORS]
    return [
        msgspec.structs.replace(
            one,
            status=chance.choice((101, 200, 204, 302, 400, 404, 429, 499, 500, 503, 504, 599)),
            error=chance.choice(codes),
            limit=chance.choice(("none", "allowed", "refused")),
            breaker=chance.choice(("none", "closed", "half_open", "open")),
            attempts=chance.randrange(4),
            upstream_ms=chance.choice((0.0, one.upstream_ms)),
        )
        for one in traffic(seed, count, seconds=890.0, entities=3)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_measure_is_the_same_from_windows_and_from_events(tmp_path: Path, seed: int) -> None:
    events = [*every_kind(seed, 2_000), event(route="/alone", error="websocket_malformed", status=101)]
    events.sort(key=lambda one: one.time_s)
    windower, archive = Windower(), EmbeddedArchive(tmp_path, ManualClock(T0))
    windower.add(events, T0 + 900)
    archive.append("events", events, TOPIC_EVENTS, {}, {})
    reader = EmbeddedArchiveReader(tmp_path)
    ask = Ask("default", T0, T0 + 900, EXACT + WITHIN_1_PERCENT, step_s=900, group_by=("route",))
    found = {series.group[0]: series for series in reader.ask(ask, rows_max=10_000).series}
    windows = {one.entity.route: one.stats for one in windower.drain_dirty() if one.stats.span_s == 900}
    assert found.keys() == windows.keys()
    for route, stats in windows.items():
        whole = dict(zip(ask.measures, found[route].whole, strict=True))
        in_step = {measure: column[0] for measure, column in zip(ask.measures, found[route].values, strict=True)}
        assert in_step == whole
        assert {name: whole[name] or 0 for name in EXACT} == {name: getattr(stats, name) for name in EXACT}
        for name in WITHIN_1_PERCENT:
            assert getattr(stats, name) == pytest.approx(whole[name] or 0.0, rel=0.0101, abs=1e-3), (route, name)
    reader.close()
    archive.close()
