"""/requests, /points and /export over a real archive: nothing twice, nothing left out, and safe to open."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from tests.control.query_world import QueryWorld, query_world, some_traffic
from tests.control.world import NOW_S, make_event

from foregate.control.api import export
from foregate.wire.point import Point
from foregate.wire.span import Span

EVENTS = some_traffic(3, 300.0)
HOSTILE = replace(make_event(Random(1), "ai", NOW_S - 3_000, 5.0), path='=cmd|" /C calc"!A0', host="-1+1", key_id="+x")
FRESH = [make_event(Random(n), "ai", NOW_S - n / 10, 5.0) for n in range(1, 6)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueryWorld]:
    with query_world(tmp_path_factory.mktemp("items")) as made:
        made.feed([HOSTILE])
        made.feed(EVENTS)
        made.feed(FRESH, archived=False)
        points = [
            Point("demo", "production", "pay", "http.requests", "sum", NOW_S - 300 + 10 * n, 5.0 * n, "1", True)
            for n in range(30)
        ]
        gauges = [Point("demo", "production", "pay", "cpu", "gauge", NOW_S - 60 + n, float(n)) for n in range(60)]
        made.archive("points", [*points, *gauges])
        made.archive(
            "spans",
            [Span("demo", "production", "pay", f"{n:032x}", f"{n:016x}", "", "GET", "server", int(NOW_S) * 10**9, 0,
                  attributes={"a": "b"}) for n in range(9)],
        )  # fmt: skip
        yield made


def test_requests_come_newest_first_page_by_page_each_once(kept: QueryWorld) -> None:
    found, cursor = [], ""
    while True:
        page = kept.served.get(f"/requests?range=1d&until={NOW_S + 1}&limit=500&cursor={cursor}")
        found += page["requests"]
        cursor = page["cursor"]
        if not cursor:
            break
    wanted = [*FRESH, *EVENTS, HOSTILE]
    assert sorted(one["request_id"] for one in found) == sorted(one.request_id for one in wanted)
    times = [one["time_s"] for one in found]
    assert times == sorted(times, reverse=True)
    assert found[-1]["path"] == HOSTILE.path


def test_what_only_the_bus_has_is_there_at_once(kept: QueryWorld) -> None:
    found = kept.served.get("/requests?range=10s&filter=latency_ms<=5;service=ai")["requests"]
    assert {one["request_id"] for one in found} >= {one.request_id for one in FRESH}


def test_requests_can_be_filtered_by_any_field(kept: QueryWorld) -> None:
    for text, passes in (
        ("service=search;method=POST", lambda e: e.service == "search" and e.method == "POST"),
        ("latency_ms>100", lambda e: e.latency_ms > 100),
        ("route^=/a;key_id!=web|mobile", lambda e: e.route.startswith("/a") and e.key_id not in ("web", "mobile")),
        ("status_class=2xx;path*=cmd", lambda e: "cmd" in e.path),
    ):
        found = kept.served.get(f"/requests?range=1h&limit=1000&filter={text}")["requests"]
        wanted = [e.request_id for e in (*FRESH, *EVENTS, HOSTILE) if passes(e)][:1_000]
        assert {one["request_id"] for one in found} <= {e.request_id for e in (*FRESH, *EVENTS, HOSTILE) if passes(e)}
        assert len(found) >= min(1_000, len(wanted)) - len(FRESH)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/requests?filter=colour=red", "colour"),
        ("/requests?filter=status>=high", "takes numbers, not 'high'"),
        ("/requests?cursor=nonsense", "cursor"),
        ("/requests?limit=0", "limit"),
        ("/export?kind=secrets", "kind"),
        ("/export?kind=windows&span=7s", "span: one of 10, 60"),
        ("/export?kind=windows&filter=status=500", "windows have org, service"),
        ("/export?filter=nonsense", "filter: 'nonsense' is not"),
        ("/export?range=400d&until=1e19", "until: a time of the years 1970 to 9999"),
        ("/tail?filter=colour=red", "'colour' is none of status_class"),
    ],
)
def test_what_is_wrong_is_said(kept: QueryWorld, path: str, said: str) -> None:
    problem = kept.served.get(path, 400)
    assert problem["code"] == "invalid_parameter"
    assert said in problem["detail"]


def test_points_have_names_and_each_metric_its_series(kept: QueryWorld) -> None:
    names = kept.served.get("/points?range=1h")
    assert [(one["name"], one["kind"], one["points"]) for one in names["metrics"]] == [
        ("cpu", "gauge", 60), ("http.requests", "sum", 30),
    ]  # fmt: skip
    (rate,) = kept.served.get("/points?name=http.requests&range=1h&step=60s")["series"]
    assert rate["service"] == "pay"
    assert set(rate["values"]) == {0.5}
    (gauge,) = kept.served.get("/points?name=cpu&range=1h&step=1h")["series"]
    assert gauge["values"][-1] == 59.0


def exported(kept: QueryWorld, query: str) -> tuple[dict[str, str], bytes]:
    answer = kept.served.ask(f"/api/v1/export?{query}")
    assert answer.status == 200, answer.body
    return answer.headers, answer.body


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foregate.telemetry.query.items.PAGE_ITEMS_MAX", 3_000)


@pytest.mark.usefixtures("small_pages")
def test_an_export_can_be_read_back_in_every_format(kept: QueryWorld) -> None:
    read: dict[str, Any] = {
        "csv": lambda body: list(csv.DictReader(io.StringIO(body.decode()))),
        "ndjson": lambda body: [json.loads(line) for line in body.splitlines()],
        "json": json.loads,
        "parquet": lambda body: pq.read_table(io.BytesIO(body)).to_pylist(),
    }
    wanted = sorted(one.request_id for one in (*EVENTS, HOSTILE))
    assert len(wanted) > 2 * 3_000
    for name, rows_of in read.items():
        headers, body = exported(kept, f"kind=events&range=1h&format={name}")
        assert headers["content-disposition"].endswith(f'Z.{name}"')
        rows = rows_of(body)
        assert sorted(row["request_id"] for row in rows) == wanted, name
        assert sum(float(row["latency_ms"]) for row in rows) == pytest.approx(
            sum(one.latency_ms for one in (*EVENTS, HOSTILE))
        )
        assert rows_of(exported(kept, f"kind=events&range=1h&format={name}&filter=service=nobody")[1]) == []


def test_no_cell_of_a_csv_is_a_formula(kept: QueryWorld) -> None:
    _, body = exported(kept, "kind=events&range=1h&filter=path*=cmd")
    (row,) = csv.DictReader(io.StringIO(body.decode()))
    assert (row["path"], row["host"], row["key_id"]) == ("'" + HOSTILE.path, "'-1+1", "'+x")


def test_spans_points_and_windows_can_be_exported_too(kept: QueryWorld) -> None:
    spans = [json.loads(line) for line in exported(kept, f"kind=spans&format=ndjson&until={NOW_S + 1}")[1].splitlines()]
    assert len(spans) == 9
    assert spans[0]["attributes"] == {"a": "b"}
    assert len(exported(kept, "kind=points&format=csv")[1].splitlines()) == 91
    windows = json.loads(exported(kept, f"kind=windows&span=1m&format=json&until={NOW_S + 60}")[1])
    assert sum(row["requests"] for row in windows) == len(EVENTS) + len(FRESH) + 1
    assert [row["start_s"] for row in windows] == sorted(row["start_s"] for row in windows)
    search = json.loads(exported(kept, "kind=windows&span=1m&format=json&filter=service=search")[1])
    assert {row["service"] for row in search} == {"search"}


@pytest.mark.usefixtures("small_pages")
def test_an_export_beyond_its_bound_breaks_off_so_that_nobody_takes_a_part_for_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ROWS_MAX", 4_500)
    with query_world(tmp_path) as kept:
        kept.feed(EVENTS)
        with pytest.raises(Exception, match=r"IncompleteRead|chunk|closed"):
            exported(kept, "kind=events&range=1h&format=ndjson")
