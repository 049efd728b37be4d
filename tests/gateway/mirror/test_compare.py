"""What counts as the same answer."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.gateway.mirror import Answered, differences
from foregate.gateway.mirror.compare import DIFFERENCES_MAX

JSON = [(b"content-type", b"application/json")]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def of(value: Any, status: int = 200) -> Answered:
    return Answered(status, JSON, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["/a"]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["/a/b/1"]),
        ({"a": 1}, {}, ["/a"]),
        ([1], [1, 2], ["/1"]),
        (1, 2, ["body"]),
        ({"x/y": 1}, {"x/y": 2}, ["/x~1y"]),
        ({"a": None}, {}, ["/a"]),
    ],
)
def test_json_is_compared_as_values(one: Any, other: Any, found: list[str]) -> None:
    assert differences(of(one), of(other), (), ()) == found


def test_what_is_ignored_may_differ_and_nothing_else() -> None:
    one = of({"items": [{"id": 1, "at": 5}, {"id": 2, "at": 6}], "at": 1})
    other = of({"items": [{"id": 1, "at": 7}, {"id": 3, "at": 8}], "at": 2})
    assert differences(one, other, (), ("/items/*/at",)) == ["/items/1/id", "/at"]
    assert differences(one, other, (), ("/items", "/at")) == []


def test_too_many_places_to_ignore_count_as_a_difference() -> None:
    one, other = of(list(range(3_000))), of(list(range(1, 3_001)))
    assert differences(one, other, (), ("/*",)) == ["body"]
    assert differences(of([1] * 900), of([2] * 900), (), ("/*",)) == []


def test_status_headers_and_bytes_are_compared() -> None:
    plain = Answered(200, [(b"content-type", b"text/plain")], b"a")
    assert differences(plain, plain._replace(body=b"b"), (b"content-type",), ()) == ["body"]
    assert differences(plain, Answered(404, JSON, b"a"), (b"content-type",), ()) == ["status", "header content-type"]
    assert differences(plain, plain._replace(body=None), (), ()) == ["body"]
    assert differences(of(1)._replace(body=b"{"), of(1), (), ()) == ["body"]


@given(VALUES, VALUES)
@settings(max_examples=300, derandomize=True)
def test_equal_values_never_differ_and_others_always_do(one: Any, other: Any) -> None:
    assert differences(of(one), of(one), (), ()) == []
    found = differences(of(one), of(other), (), ())
    assert len(found) <= DIFFERENCES_MAX
    assert bool(found) == (json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))


@pytest.mark.parametrize("depth", range(100, 1_000, 50))
def test_bodies_that_differ_at_any_depth_differ(depth: int) -> None:
    one, other = ("[" * depth + number + "]" * depth for number in "12")
    headers = [(b"content-type", b"application/json")]
    assert differences(Answered(200, headers, one.encode()), Answered(200, headers, other.encode()), (), ())


def test_a_body_nested_without_end_is_compared_as_bytes() -> None:
    deep = b"[" * 50_000 + b"]" * 50_000
    assert differences(Answered(200, JSON, deep), Answered(200, JSON, deep + b" "), (), ()) == ["body"]
