"""/query over real stores: numbers equal those of the events, wrong questions are named, large ones refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.control.query_world import QueryWorld, query_world, some_traffic
from tests.control.world import NOW_S

from foregate.telemetry.query.windowed import Bounds
from foregate.wire.event import RequestEvent

EVENTS = some_traffic(1, 900.0)
OTHERS = [replace(one, org="other", environment="staging") for one in some_traffic(2, 60.0)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueryWorld]:
    with query_world(tmp_path_factory.mktemp("query")) as made:
        made.feed(EVENTS)
        made.feed(OTHERS)
        yield made


def post(kept: QueryWorld, status: int = 200, **ask: Any) -> Any:
    answer = kept.served.ask(
        "/api/v1/query", "POST", body=json.dumps(ask).encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status == status, answer
    return answer.json()


def of(service: str, events: list[RequestEvent] = EVENTS) -> int:
    return sum(one.service == service for one in events)


def test_a_question_is_answered_from_windows_by_group_and_step(kept: QueryWorld) -> None:
    answer = post(kept, range="1h", step="5m", group_by=["service"], measures=["requests", "p95_ms"], top=2)
    assert [one["group"] for one in answer["series"]] == [{"service": "search"}, {"service": "payments"}]
    assert (answer["left_out"], answer["from_windows"], answer["org"]) == (1, True, "demo")
    search = answer["series"][0]
    assert search["whole"]["requests"] == of("search") == sum(n or 0 for n in search["values"]["requests"])
    assert len(answer["starts_s"]) == len(search["values"]["requests"])
    assert search["values"]["requests"][0] is None  # nothing was, which is not the same as 0
    assert answer["until_s"] == NOW_S


def test_the_same_in_an_address(kept: QueryWorld) -> None:
    posted = post(
        kept, range="15m", step="0", group_by=["route"], measures=["requests", "error_rate"],
        filters=[{"field": "service", "op": "in", "values": ["ai", "search"]}],
    )  # fmt: skip
    asked = "range=15m&step=0&group_by=route&measures=requests,error_rate&filter=service=ai|search"
    got = kept.served.get(f"/query?{asked}")
    assert got | {"took_ms": 0} == posted | {"took_ms": 0}
    assert {one["group"]["route"]: one["whole"]["requests"] for one in got["series"]} == {
        "/ai": of("ai"), "/search": of("search"),
    }  # fmt: skip


def test_what_windows_do_not_know_comes_from_the_single_events(kept: QueryWorld) -> None:
    answer = kept.served.get("/query?range=15m&step=0&group_by=key_id,method&measures=requests&top=100")
    assert answer["from_windows"] is False
    counted = {(s["group"]["key_id"], s["group"]["method"]): s["whole"]["requests"] for s in answer["series"]}
    assert counted == {
        (key, method): sum(e.key_id == key and e.method == method for e in EVENTS)
        for key in ("web", "mobile", "partner")
        for method in ("GET", "POST")
    }
    slow = kept.served.get("/query?range=15m&step=0&filter=latency_ms>=100;method=GET")
    assert slow["series"][0]["whole"]["requests"] == sum(e.latency_ms >= 100 and e.method == "GET" for e in EVENTS)


def test_windows_and_events_agree(kept: QueryWorld) -> None:
    measures = "requests,errors,timeouts,client_errors,limited,broken,retries,request_bytes,response_bytes,clients"
    window = f"range=1h&until={NOW_S}&step=0&group_by=service&measures={measures}"
    from_windows = kept.served.get(f"/query?{window}")
    from_events = kept.served.get(f"/query?{window}&filter=method=GET|POST")
    assert (from_windows["from_windows"], from_events["from_windows"]) == (True, False)
    values = [[(one["group"], one["whole"]) for one in answer["series"]] for answer in (from_windows, from_events)]
    for (group, windows), (same, events) in zip(*values, strict=True):
        assert group == same
        assert {**windows, "clients": None} == {**events, "clients": None}


def test_an_operator_may_ask_for_any_org_and_for_all(kept: QueryWorld) -> None:
    assert post(kept, range="1h", step="0", org="other")["series"][0]["whole"]["requests"] == len(OTHERS)
    both = post(kept, range="1h", step="0", org="*", group_by=["org"])
    assert {one["group"]["org"]: one["whole"]["requests"] for one in both["series"]} == {
        "demo": len(EVENTS), "other": len(OTHERS),
    }  # fmt: skip
    assert post(kept, range="1h", step="0", org="nobody")["series"] == []


def test_the_period_before_stands_beside_this_one(kept: QueryWorld) -> None:
    answer = post(kept, range="5m", step="60", compare="previous", group_by=["service"])
    for one in answer["series"]:
        now, before = one["whole"]["requests"], one["earlier"]["whole"]["requests"]
        assert before == sum(
            e.service == one["group"]["service"] and answer["from_s"] - 300 <= e.time_s < NOW_S - 300 for e in EVENTS
        )
        assert one["earlier"]["change"]["requests"] == pytest.approx((now - before) / before)
    assert answer["earlier_s"] == 300
    week = post(kept, range="5m", step="0", compare="7d")
    assert week["series"][0]["earlier"] is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("measures=p96_ms", "measures.0: Input should be 'requests', 'rps'"),
        ("group_by=colour", "group_by.0: Input should be 'org', 'service'"),
        ("order=colour", "order: Input should be 'requests'"),
        ("range=yesterday", "range: 'yesterday' is no duration such as 90s, 15m, 24h or 7d"),
        ("from=never", "from: 'never' is no time such as 1700000000"),
        ("from=2&until=1", "until: the range must end after it begins"),
        ("range=9999d", "range: at most 400 days"),
        ("range=400d&until=1e19", "until: a time of the years 1970 to 9999"),
        ("filter=service", "filter: 'service' is not `field=value`"),
        ("filter=colour=red", "colour"),
        ("top=0", "top: Input should be greater than or equal to 1"),
        ("step=-1", "step: '-1' is no duration"),
        ("measure=requests", "did you mean measures?"),
    ],
)
def test_a_wrong_question_is_named_with_what_is_known(kept: QueryWorld, query: str, said: str) -> None:
    problem = kept.served.get(f"/query?{query}", 400)
    assert problem["code"] == "invalid_parameter"
    assert said in problem["detail"]


def test_a_body_with_a_field_that_is_not_known_is_refused(kept: QueryWorld) -> None:
    assert "rnge" in post(kept, 400, rnge="1h")["detail"]


def test_what_would_cost_too_much_is_refused_and_says_what_it_costs(tmp_path: Path) -> None:
    with query_world(tmp_path, Bounds(windows_max=2, sums_max=2)) as kept:
        kept.feed(EVENTS, archived=False)
        problem = kept.served.get("/query?range=1d&step=10s", 422)
        assert problem["code"] == "query_too_large"
        assert "8,640 steps are more than 5,000" in problem["detail"]
        from_events = kept.served.get("/query?range=15m&step=60s&group_by=route&measures=p95_ms")
        assert from_events["from_windows"] is False  # the windows were too many, the single events are not
