"""What `foregate config check` warns of, and what it keeps quiet about."""

from typing import Any

import pytest

from foregate.app.config.schema import Config
from foregate.app.config.warnings import warnings

ALL = {"name": "all", "path": "/", "auth": "none", "service": "s"}
ADMIN = {"path": "/admin", "methods": ["GET"], "service": "s"}


def said(*routes: dict[str, Any]) -> list[tuple[Any, str]]:
    config = Config.model_validate({"services": {"s": {"targets": ["http://127.0.0.1:1"]}}, "routes": list(routes)})
    return [(path[1], sentence) for path, sentence in warnings(config)]


def test_a_closed_path_that_is_open_by_other_methods_is_named() -> None:
    sentence = 'GET /admin needs a key, but other methods of /admin go to the open route "all"'
    assert said(ALL, ADMIN) == [(1, sentence)]
    assert said(ADMIN, {**ALL, "path": "/admin"}) == [(0, sentence)]
    assert said(ALL, {**ADMIN, "match": "exact", "auth": ["jwt", "basic"]}) == [
        (1, 'GET /admin needs jwt or basic, but other methods of /admin go to the open route "all"')
    ]


@pytest.mark.parametrize(
    ("opened", "closed"),
    [
        ({**ALL, "methods": ["GET", "POST"]}, ADMIN),
        ({**ALL, "hosts": ["*.example.com"]}, {**ADMIN, "hosts": ["a.org", "admin.example.com"]}),
        ({**ALL, "hosts": ["*.example.com"]}, {**ADMIN, "hosts": ["*.example.com"]}),
        (ALL, {**ADMIN, "path": "/users/{id}/{rest...}", "match": "template"}),
        (ALL, {**ADMIN, "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]}),
    ],
)
def test_hosts_templates_and_long_lists_of_methods_are_looked_through(
    opened: dict[str, Any], closed: dict[str, Any]
) -> None:
    assert [index for index, _ in said(opened, closed)] == [1]


@pytest.mark.parametrize(
    "routes",
    [
        (ALL, {"path": "/admin", "service": "s"}),  # all methods are closed
        (ADMIN,),
        (ALL, ADMIN, {"path": "/admin", "auth": "jwt", "service": "s"}),  # the others are closed, too
        (ALL, ADMIN, {"path": "/admin", "auth": "none", "answer": {"status": 405}}),  # nothing is behind it
        (ADMIN, {"path": "/admin", "methods": ["POST"], "auth": "none", "service": "s"}),  # somebody wrote so
        ({**ALL, "hosts": ["a.org"]}, {**ADMIN, "hosts": ["b.org"]}),
        ({**ALL, "path": "/open"}, ADMIN),
        ({**ALL, "methods": ["GET", "HEAD"]}, ADMIN),
    ],
)
def test_what_was_meant_is_not_warned_of(routes: tuple[dict[str, Any], ...]) -> None:
    assert said(*routes) == []


def test_a_trailing_slash_needs_no_warning_because_it_is_the_same_path() -> None:
    assert said(ALL, {"path": "/admin", "match": "exact", "service": "s"}) == []
