"""GET /journeys, /journeys/{trace_id}, /service-map and /logs over real stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.adapters.logs.making import record
from tests.control.world import Console, console, world
from tests.telemetry.journeys.making import T0_NS, TRACE, call, span
from tests.telemetry.journeys.rig import Rig

from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.kernel.clock import ManualClock
from foregate.telemetry.journeys import Query
from foregate.wire.span import Span


def checkout() -> list[Span]:
    """A shop, a stock service whose clock is two seconds ahead, and a database that says nothing of itself."""
    ahead = 2_000.0
    return [
        span("a", kind="server", end_ms=100, org="demo", environment="on-prem", route="/buy", method="POST"),
        span("ask", "a", 10, 60, kind="client", peer="stock", org="demo", environment="on-prem"),
        span("in", "ask", 12 + ahead, 58 + ahead, kind="server", service="stock", org="demo", environment="aws"),
        span("sql", "in", 20 + ahead, 50 + ahead, kind="client", service="stock", org="demo", environment="aws",
             peer="postgres", status="error", message="deadlock"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder: Path = tmp_path_factory.mktemp("journeys")
    (folder / "world").mkdir()
    clock = ManualClock(T0_NS / 1e9 + 30)
    rig = Rig(folder, clock)
    rig.send(checkout())
    rig.send(replace(one, trace_id=f"{n:032x}") for n in range(3) for one in call("c", "", 0, 10, "stock"))
    rig.drain()
    clock.advance(11)
    rig.drain()
    logs = EmbeddedLogs(folder / "logs.sqlite", clock)
    logs.take(
        [
            record("deadlock detected, giving up", 1, org="demo", severity=17, trace_id=TRACE, service="stock"),
            record("all is well", 2, org="demo"),
            record("deadlock of others", 3),
        ],
        "logs",
        {},
        {},
    )
    with world(folder / "world", clock) as here, console(here.deps(journeys=Query(rig.store), logs=logs)) as made:
        yield made
    logs.close()
    rig.close()


def test_a_journey_is_found_and_drawn_with_its_clocks_corrected_and_its_time_accounted_for(served: Console) -> None:
    (found,) = served.get("/journeys?failed=true&service=postgres&min_ms=50")["journeys"]
    assert (found["trace_id"], found["service"], found["route"], found["reason"]) == (TRACE, "shop", "/buy", "error")
    assert abs(found["skew_ms"] - 2_000) < 1
    journey = served.get(f"/journeys/{TRACE.upper()}")
    assert [(row["depth"], row["name"]) for row in journey["rows"]] == [(0, "a"), (1, "ask"), (2, "in"), (3, "sql")]
    assert 11 < journey["rows"][2]["offset_ms"] < 13
    assert journey["rows"][0]["skew_ms"] == 0
    assert journey["rows"][3]["message"] == "deadlock"
    spent = {(part["kind"], part["service"], part["environment"]): part["duration_ms"] for part in journey["breakdown"]}
    assert spent == {
        ("service", "shop", "on-prem"): 50,
        ("external", "postgres", ""): 30,
        ("service", "stock", "aws"): 16,
        ("network", "stock", "aws"): 4,
    }
    assert sum(piece["duration_ms"] for piece in journey["critical_path"]) == pytest.approx(100)


def test_the_logs_of_a_journey_are_one_step_away_and_lead_back(served: Console) -> None:
    journey = served.get(f"/journeys/{TRACE}")
    (log,) = served.get(journey["logs"].removeprefix("/api/v1"))["logs"]
    assert (log["body"], log["severity"]) == ("deadlock detected, giving up", 17)
    assert served.get(log["journey"].removeprefix("/api/v1"))["summary"]["trace_id"] == TRACE


def test_logs_are_found_by_words_of_the_asked_organisation_alone(served: Console) -> None:
    assert [log["body"] for log in served.get("/logs?q=dead*")["logs"]] == ["deadlock detected, giving up"]
    assert [log["body"] for log in served.get("/logs?q=deadlock&org=default")["logs"]] == ["deadlock of others"]
    first = served.get("/logs?limit=1")
    second = served.get(f"/logs?limit=1&cursor={first['next_cursor']}")
    assert [page["logs"][0]["body"] for page in (first, second)] == ["all is well", "deadlock detected, giving up"]
    assert second["next_cursor"] is None
    for hostile in ('"', "*", "a%20OR%20%28", "NEAR%28", "%00", "body%3Ax"):
        served.get(f"/logs?q={hostile}")
    assert served.get("/logs?cursor=x", 400)["code"] == "invalid_parameter"


def test_the_service_map_counts_every_call(served: Console) -> None:
    edges = {
        (edge["caller"], edge["callee"], edge["callee_environment"]): (edge["requests"], edge["errors"])
        for edge in served.get("/service-map")["edges"]
    }
    assert edges == {
        ("", "shop", "on-prem"): (1, 0),
        ("shop", "stock", "aws"): (1, 0),
        ("stock", "postgres", ""): (1, 1),
    }
    (edge,) = served.get("/service-map?org=default")["edges"]
    assert (edge["requests"], edge["callee"]) == (3, "stock")
    assert abs(edge["p99_ms"] - 10) <= 0.1


def test_what_is_not_there_answers_404_and_what_is_no_time_400(served: Console) -> None:
    assert served.get("/journeys/" + "0" * 31 + "9", 404)["code"] == "not_found"
    assert served.get(f"/journeys/{TRACE}?org=default", 404)["code"] == "not_found"
    assert served.get("/journeys?from=yesterday", 400)["code"] == "invalid_parameter"
    assert served.get("/journeys?cursor=bm9uc2Vuc2U%3D", 400)["code"] == "invalid_parameter"


def test_without_a_store_there_is_nothing_to_find(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as bare:
        for path in ("/journeys", "/service-map", "/logs", f"/journeys/{TRACE}"):
            assert bare.get(path, 404)["code"] == "not_found"
