"""Authorization is a table, and every route is in it: the test walks the OpenAPI document, so none can be missed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from tests.control.world import TOKEN, Console, console, world

from foregate.control import create_app

OPEN = {"/health", "/healthz", "/health/live", "/health/ready", "/login", "/login.css", "/favicon.svg"}
CHANGES = {"post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with world(tmp_path_factory.mktemp("routes")) as here, console(here.deps()) as made:
        yield made


def operations(served: Console) -> list[tuple[str, str, dict[str, Any]]]:
    document = served.get("/openapi.json")
    found = [
        (method.upper(), path.replace("{fault_id}", "flt_1").replace("{block_id}", "blk_1"), operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    assert len(found) >= 16
    return found


def test_without_the_token_every_operation_answers_401_as_a_problem(served: Console) -> None:
    for method, path, _ in operations(served):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "foregate_session=forged.x.y"}):
            origin = {"Origin": served.url}
            answer = served.ask(path, method, token=None, headers=headers | origin)
            assert answer.status == 401, (method, path, headers)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["code"] == "token_required"
            assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_with_a_session_every_change_from_another_origin_answers_403(served: Console) -> None:
    cookie = served.cookie()
    changing = [(m, p) for m, p, _ in operations(served) if m.lower() in CHANGES]
    assert changing
    for method, path in changing:
        for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:1"}):
            answer = served.ask(path, method, token=None, headers={"Cookie": cookie} | origin)
            assert (answer.status, answer.json()["code"]) == (403, "origin_refused"), (method, path, origin)


def test_every_operation_documents_its_problems_and_what_it_answers(served: Console) -> None:
    for method, path, operation in operations(served):
        responses = operation["responses"]
        assert {"400", "401", "403"} <= set(responses), (method, path)
        assert "422" not in responses or path == "/api/v1/config/reload", (method, path)  # validation is 400 here
        assert list(responses["401"]["content"]) == ["application/problem+json"], (method, path)
        good = [answer for status, answer in responses.items() if status.startswith("2")]
        assert good, (method, path)
        assert all("content" in answer for answer in good) or method == "DELETE", (method, path)
        assert operation.get("summary"), (method, path)


def test_an_unknown_query_parameter_is_refused_everywhere(served: Console) -> None:
    for method, path, _ in operations(served):
        answer = served.ask(f"{path}?surely_unknown=1", method, headers={"Content-Type": "application/json"})
        assert (answer.status, answer.json()["code"]) == (400, "invalid_parameter"), (method, path)


def test_no_route_outside_the_document_is_open_unless_it_is_listed_here(served: Console, tmp_path: Path) -> None:
    with world(tmp_path) as here:
        app = create_app(here.deps())
        hidden = {route.path for route in app.routes if isinstance(route, APIRoute) and not route.include_in_schema}
    for path in hidden - OPEN - {"/logout"}:
        assert served.ask(path.replace("{name}", "x"), token=None).status == 401, path
    for path in OPEN:
        assert served.ask(path, token=None).status == 200, path


def test_every_answer_carries_the_headers_that_protect_a_browser(served: Console) -> None:
    for path in ("/", "/login", "/api/v1/risks", "/nothing", "/health"):
        for token in (TOKEN, None):
            headers = served.ask(path, token=token).headers
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "script-src 'self'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in headers
    assert served.ask("/api/v1/risks").headers["cache-control"] == "no-store"
