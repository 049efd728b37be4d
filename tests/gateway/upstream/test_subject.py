"""What of a request is hashed."""

from types import SimpleNamespace
from typing import Any

import pytest

from foregate.gateway.policies.policy import Consumer
from foregate.gateway.upstream.subject import cookie, parameter, subject_of
from foregate.http1.headers import find

HEADERS = [(b"x-user", b"u1"), (b"cookie", b'a=1; session="s 1"; session=2')]


def request(**more: Any) -> Any:
    given = {"consumer": Consumer("key_1"), "client": "10.0.0.1", "path": b"/a/b", "query": b"?id=7&x=%41", **more}
    return SimpleNamespace(header=lambda name: find(HEADERS, name), **given)


@pytest.mark.parametrize(
    ("hash_by", "subject"),
    [
        ("key", b"key_1"),
        ("ip", b"10.0.0.1"),
        ("path", b"/a/b"),
        ("header:X-User", b"u1"),
        ("header:X-Other", None),
        ("cookie:session", b'"s 1"'),
        ("cookie:sess", None),
        ("query:id", b"7"),
        ("query:x", b"A"),
        ("query:i", None),
    ],
)
def test_each_kind_reads_its_own_place(hash_by: str, subject: bytes | None) -> None:
    assert subject_of(hash_by)(request()) == subject


def test_a_request_of_nobody_has_no_key() -> None:
    assert subject_of("key")(request(consumer=Consumer(""))) is None


def test_odd_cookies_and_queries_are_no_trouble() -> None:
    assert cookie(None, b"a") is None
    assert cookie(b"; a ;=; b = 1;b=2", b"b") == b"2"
    assert parameter(b"", b"a") is None
    assert parameter(b"?&&=&a&a=", b"a") == b""
    assert parameter(b"?%69d=1&id=2", b"id") == b"1"
