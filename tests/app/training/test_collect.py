"""Minutes are collected day by day before the store forgets them, and come back as they were."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from tests.app.signals.rig import ALL, FIND, T0, SignalsRig
from tests.app.signals.rig import PAY as PAY_HERE

from foregate.adapters.embedded.minutes import DAY_S, EmbeddedMinutes, MinuteRows
from foregate.adapters.embedded.recorded import read_recorded
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.training import collect
from foregate.app.training.assemble import assemble
from foregate.app.training.beside import Beside, open_beside
from foregate.app.training.collect import Collector
from foregate.predict.evaluate.system import COLUMN
from foregate.telemetry.retention import Retention
from foregate.wire.change import Change
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS
from foregate.wire.window import StoredWindow, WindowStats

MIDNIGHT_S = 19_700 * DAY_S
PAY, ASK = Entity("shop", "pay", "/pay", "production"), Entity("shop", "ask", "/ask", "production")


def window(entity: Entity, minute: int, requests: int = 100, errors: int = 0) -> StoredWindow:
    stats = WindowStats(MIDNIGHT_S + 60.0 * minute, 60, requests, errors, p95_ms=12.5, upstream_limited=3)
    return StoredWindow(entity, stats, b"", b"")


@pytest.fixture
def series(tmp_path: Path) -> Iterator[EmbeddedSeries]:
    store = EmbeddedSeries(tmp_path / "series.sqlite")
    yield store
    store.close()


def collector(series: EmbeddedSeries, tmp_path: Path, **of_orgs: int) -> Collector:
    return Collector(series, EmbeddedMinutes(tmp_path / "minutes"), Retention(30, of_orgs))


def test_a_day_that_is_over_is_taken_once_and_what_came_since_is_added(series: EmbeddedSeries, tmp_path: Path) -> None:
    windows = [window(entity, minute) for entity in (PAY, ASK) for minute in (0, 1, 2, 1_439, 1_440, 1_500)]
    series.append(windows, {}, {})
    one = collector(series, tmp_path)
    assert one.orgs() == ["shop"]
    assert one.collect("shop", MIDNIGHT_S + DAY_S + 600) == 0  # late events may still come
    now_s = MIDNIGHT_S + DAY_S + 4_000
    assert one.collect("shop", now_s) == 1
    assert one.collect("shop", now_s) == 0
    system, left_out = one.system("shop", now_s)
    assert (system.name, system.start_s, left_out) == ("shop", MIDNIGHT_S, 0)
    assert system.entities == (ASK, PAY)
    assert system.minutes.shape[2] == 1_440 + 4_000 // 60
    requests = system.of("requests")
    assert (np.flatnonzero(requests[1] == 100) == [0, 1, 2, 1_439, 1_440, 1_500]).all()
    assert system.of("p95_ms")[0, 1_440] == 12.5
    assert system.of("upstream_limited")[0, 0] == 3
    assert np.isnan(system.of("disk_left")).all()


def test_what_the_store_has_forgotten_is_still_there_to_learn_from(series: EmbeddedSeries, tmp_path: Path) -> None:
    series.append([window(PAY, minute) for minute in range(50)], {}, {})
    one = collector(series, tmp_path)
    one.collect("shop", MIDNIGHT_S + 2 * DAY_S)
    series.expire(60, MIDNIGHT_S + 9 * DAY_S)
    system, _ = one.system("shop", MIDNIGHT_S + 9 * DAY_S)
    assert np.nansum(system.of("requests")) == 5_000


def test_minutes_are_kept_no_longer_than_the_organisation_wants(series: EmbeddedSeries, tmp_path: Path) -> None:
    series.append([window(PAY, minute) for minute in range(0, 5 * 1_440, 60)], {}, {})
    assert collector(series, tmp_path).collect("shop", MIDNIGHT_S + 5 * DAY_S + 4_000) == 5
    files = EmbeddedMinutes(tmp_path / "minutes")
    collector(series, tmp_path, shop=2).collect("shop", MIDNIGHT_S + 5 * DAY_S + 4_000)
    assert list(files.days("shop")) == [19_703, 19_704]
    collector(series, tmp_path).collect("shop", MIDNIGHT_S + 50 * DAY_S)
    assert not files.days("shop")


def test_of_too_many_apis_those_with_the_least_traffic_are_left_out_and_counted(
    series: EmbeddedSeries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "LEARN_API_MINUTES_MAX", 3_000)
    series.append([window(PAY, minute, 10) for minute in range(9)], {}, {})
    series.append([window(ASK, minute, 11) for minute in range(9)], {}, {})
    one = collector(series, tmp_path)
    one.collect("shop", MIDNIGHT_S + DAY_S + 4_000)
    system, left_out = one.system("shop", MIDNIGHT_S + DAY_S + 36_000)
    assert (system.entities, left_out) == ((ASK,), 1)


def test_an_organisation_without_a_minute_is_an_empty_system(series: EmbeddedSeries, tmp_path: Path) -> None:
    system, left_out = collector(series, tmp_path).system("nobody", MIDNIGHT_S)
    assert (system.entities, left_out) == ((), 0)


def rows(*found: tuple[int, int, float]) -> MinuteRows:
    values = np.full((len(found), len(COLUMNS)), np.nan, dtype=np.float32)
    values[:, [COLUMN["errors"], COLUMN["p95_ms"]]] = 1.0
    values[:, COLUMN["requests"]] = [value for *_, value in found]
    entity, minute = np.array([who for who, *_ in found]), np.array([when for _, when, _ in found])
    return MinuteRows((PAY, ASK), entity, MIDNIGHT_S + 60 * minute, values)


def test_a_minute_without_traffic_is_zero_and_one_that_was_not_recorded_is_unknown() -> None:
    calm = [(1, minute, 5.0) for minute in (*range(40), *range(60, 80))]
    system = assemble("shop", (PAY, ASK), MIDNIGHT_S, 80, [rows((0, 10, 7.0), (0, 30, 8.0), *calm)])
    pay, ask = system.of("requests")
    assert np.isnan(pay[:10]).all()  # it was not there yet
    assert (pay[10], pay[30]) == (7, 8)
    assert (pay[11:30] == 0).all()
    assert np.isnan(pay[31:]).all()
    assert np.isnan(ask[40:60]).all()  # nobody was recorded
    assert (system.of("errors")[0, 11:30] == 0).all()
    assert np.isnan(system.of("p95_ms")[0, 11:30]).all()


def test_minutes_outside_and_of_others_are_ignored_and_later_rows_hold() -> None:
    parts = [rows((0, -1, 1.0), (0, 0, 2.0), (0, 9, 3.0), (1, 3, 9.0)), rows((0, 0, 4.0))]
    system = assemble("shop", (PAY,), MIDNIGHT_S, 5, parts)
    assert system.of("requests")[0].tolist()[:1] == [4.0]
    assert np.isnan(system.of("requests")[0, 1:]).all()


def test_a_damaged_day_is_said(tmp_path: Path) -> None:
    files = EmbeddedMinutes(tmp_path)
    files.put("shop", 3, rows((0, 0, 1.0)))
    assert files.requests("shop", 3) == {PAY: 1.0}
    path = tmp_path / "shop" / "3.parquet"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(OSError, match=r"3\.parquet is damaged"):
        files.read("shop", 3)


def test_a_kept_day_is_a_recording_that_can_be_evaluated(tmp_path: Path) -> None:
    EmbeddedMinutes(tmp_path).put("shop", 19_700, rows((0, 0, 4.0), (0, 2, 5.0), (1, 1, 6.0)))
    (recorded,) = read_recorded([tmp_path / "shop" / "19700.parquet"])
    assert (recorded.name, recorded.start_s, set(recorded.entities)) == ("shop", MIDNIGHT_S, {PAY, ASK})
    assert recorded.minutes[recorded.entities.index(PAY), COLUMN["requests"], [0, 2]].tolist() == [4.0, 5.0]


def test_deployments_and_who_asks_whom_stand_beside_the_minutes(series: EmbeddedSeries, tmp_path: Path) -> None:
    series.append([window(entity, minute) for entity in (PAY, ASK) for minute in (*range(5), 30)], {}, {})
    deployed = Change("c1", MIDNIGHT_S + 130.0, "deployment", "shop", "production", ("pay",))
    configured = Change("c2", MIDNIGHT_S + 70.0, "configuration", "shop", "production")
    edges = frozenset({("shop", "production", "ask", "pay"), ("other", "production", "a", "b")})
    beside = Beside(lambda now_s: edges, lambda from_s, until_s: [configured, deployed], lambda entity: entity == ASK)
    one = Collector(series, EmbeddedMinutes(tmp_path / "minutes"), Retention(), beside)
    one.collect("shop", MIDNIGHT_S + DAY_S + 4_000)
    system, _ = one.system("shop", MIDNIGHT_S + DAY_S + 4_000)
    assert system.calls == {("ask", "pay")}
    ask, pay = system.of("deploys")
    assert (pay[:5].tolist(), ask[:5].tolist()) == ([0, 0, 1, 0, 0], [0, 0, 0, 0, 0])
    assert np.isnan(pay[10:20]).all()
    ask, pay = system.of("config_changes")
    assert ask[:5].tolist() == [0, 1, 0, 0, 0]
    assert np.isnan(pay).all()


def test_of_too_many_apis_the_busiest_are_kept_and_the_others_counted(
    series: EmbeddedSeries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "APIS_A_DAY_MAX", 2)
    rare = Entity("shop", "aside", "/aside", "production")
    minutes = [window(entity, 5, count) for entity, count in ((PAY, 100), (ASK, 50), (rare, 1))]
    quarters = [
        StoredWindow(each.entity, replace(each.stats, start_s=MIDNIGHT_S, span_s=900), b"", b"") for each in minutes
    ]
    series.append([*minutes, *quarters], {}, {})
    one = collector(series, tmp_path)
    assert one.collect("shop", MIDNIGHT_S + DAY_S + 4_000) == 1
    system, left_out = one.system("shop", MIDNIGHT_S + DAY_S + 4_000)
    assert (system.entities, left_out) == ((ASK, PAY), 1)


def test_who_is_one_of_the_gateways_own_is_the_same_as_live(tmp_path: Path) -> None:
    rig = SignalsRig(tmp_path)
    foreign = Entity("default", "nightly", "/batch", "production")  # reported by others in the gateway's own name
    known = (*ALL, foreign)
    live = rig.signals.minute(T0, known)
    with open_beside(rig.data) as beside:
        told = {entity for entity in known if beside.configured(entity)}
    assert told == {entity for entity in known if "config_changes" in live[entity]} == {PAY_HERE, FIND}
