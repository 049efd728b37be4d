"""What becomes of a stored answer for a request with such directives."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from foregate.gateway.cache.asked import Asked
from foregate.gateway.cache.use import use


def asked(**said: Any) -> Asked:
    plain = {"no_cache": False, "max_age": None, "min_fresh": None, "max_stale": None}
    return cast(Asked, SimpleNamespace(**plain | said))


@pytest.mark.parametrize(
    ("said", "left_s", "window_s", "strict", "what"),
    [
        ({}, 10, 0, False, "fresh"),
        ({}, -1, 0, False, "validate"),
        ({}, -1, 5, False, "refresh"),
        ({}, -6, 5, False, "validate"),
        ({"no_cache": True}, 10, 0, False, "validate"),
        ({"max_age": 0}, 10, 0, False, "validate"),
        ({"max_age": 40}, 10, 0, False, "validate"),
        ({"max_age": 60}, 10, 0, False, "fresh"),
        ({"min_fresh": 20}, 10, 0, False, "validate"),
        ({"min_fresh": 5}, 10, 0, False, "fresh"),
        ({"max_stale": 5}, -4, 0, False, "stale"),
        ({"max_stale": 5}, -6, 0, False, "validate"),
        ({"max_stale": 5}, -4, 0, True, "validate"),
        ({"max_stale": float("inf")}, -4e9, 0, False, "stale"),
    ],
)
def test_directives_decide(said: dict[str, Any], left_s: float, window_s: float, strict: bool, what: str) -> None:
    now_s = 1_000.0
    until_s = now_s + left_s
    assert use(asked(**said), now_s, 50.0, until_s, until_s + window_s if window_s else 0.0, strict) == what
