"""What a request may weigh."""

from typing import Any

import pytest
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies.bounds import BoundsPolicy, takes
from foregate.gateway.policies.policy import Place
from foregate.wire.policies import Bounds


def code(request: Any, **settings: Any) -> str:
    found = BoundsPolicy(Bounds(**settings), means(), Place()).admit(request)
    return found.code if found is not None else ""


def post(*headers: tuple[bytes, bytes], length: int = 10) -> Any:
    request: Any = ask(b"POST", b"/", [(b"content-length", b"%d" % length), *headers])
    request.exchange.body_bytes_max = 1 << 30
    return request


def test_an_ordinary_request_passes() -> None:
    assert code(ask()) == ""
    assert code(post()) == ""


@pytest.mark.parametrize(("query", "expected"), [(b"?" + b"x" * 10, ""), (b"?" + b"x" * 11, "uri_too_long"), (b"", "")])
def test_a_query_may_have_so_many_bytes(query: bytes, expected: str) -> None:
    assert code(ask(path=b"/" + query), query_bytes_max=10) == expected


def test_a_request_may_have_so_many_header_fields() -> None:
    fields = [(b"x-%d" % n, b"1") for n in range(4)]
    assert code(ask(headers=fields[:3]), header_count_max=4) == ""
    assert code(ask(headers=fields), header_count_max=4) == "headers_too_large"


def test_header_fields_may_have_so_many_bytes() -> None:
    assert code(ask(headers=[(b"x", b"1" * 100)]), header_bytes_max=256) == ""
    assert code(ask(headers=[(b"x", b"1" * 300)]), header_bytes_max=256) == "headers_too_large"


def test_a_declared_body_is_refused_before_it_comes() -> None:
    assert code(post(length=11), body_bytes_max=10) == "body_too_large"
    assert code(post(length=10), body_bytes_max=10) == ""


def test_a_body_of_unknown_length_is_held_to_the_bound_by_the_engine() -> None:
    request: Any = ask(b"POST", b"/", [(b"transfer-encoding", b"chunked")])
    request.exchange.body_bytes_max = 1 << 30
    assert code(request, body_bytes_max=10) == ""
    assert request.exchange.body_bytes_max == 10
    request.exchange.request_bytes = 11  # what has come already counts
    assert code(request, body_bytes_max=10) == "body_too_large"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (b"application/json; charset=utf-8", True),
        (b"IMAGE/PNG", True),
        (b"text/html", False),
        (b"image", False),
        (b"", False),
    ],
)
def test_bodies_of_other_types_are_refused(given: bytes, taken: bool) -> None:
    types = ("application/json", "image/*")
    assert code(post((b"content-type", given)), content_types=types) == ("" if taken else "unsupported_media_type")


def test_a_request_without_a_body_needs_no_type() -> None:
    assert code(ask(), content_types=("application/json",)) == ""
    assert not takes((b"image/*",), b"imagery/png")
