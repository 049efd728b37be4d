"""Conditions of clients and of our own, and what a 304 changes."""

import pytest

from foregate.gateway.cache.validate import conditions, head_of_304, kept_fields, not_modified, refreshed

HEAD = [(b"etag", b'"a"'), (b"last-modified", b"Sun, 06 Nov 1994 08:49:37 GMT"), (b"content-type", b"text/plain")]


@pytest.mark.parametrize(
    ("listed", "has"),
    [
        (b'"a"', True), (b'W/"a"', True), (b'"b", "a"', True), (b'"b,c" , W/"a"', True), (b"*", True),
        (b'"b"', False), (b"a", False), (b'"A"', False), (b"", False), (b'"b, "', False),
    ],
)  # fmt: skip
def test_tags_are_compared_weakly(listed: bytes, has: bool) -> None:
    assert not_modified(listed, None, 200, HEAD) is has


def test_tags_take_precedence_over_dates() -> None:
    later = b"Mon, 07 Nov 1994 08:49:37 GMT"
    assert not_modified(None, later, 200, HEAD)
    assert not not_modified(b'"b"', later, 200, HEAD)
    assert not not_modified(None, b"Sat, 05 Nov 1994 08:49:37 GMT", 200, HEAD)
    assert not not_modified(None, b"nonsense", 200, HEAD)


def test_only_what_would_succeed_is_conditional() -> None:
    assert not not_modified(b"*", None, 404, HEAD)


def test_we_ask_by_every_validator_there_is() -> None:
    assert conditions(HEAD) == (b'if-none-match: "a"', b"if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT")
    assert conditions([(b"date", b"x")]) == ()


def test_a_304_replaces_fields_but_those_of_the_body() -> None:
    stored = [*HEAD, (b"x-a", b"1"), (b"x-a", b"2"), (b"content-encoding", b"gzip")]
    news = [
        (b"x-a", b"3"),
        (b"etag", b'"z"'),
        (b"content-encoding", b"br"),
        (b"connection", b"x-hop"),
        (b"x-hop", b"1"),
    ]
    assert refreshed(stored, news) == [*HEAD, (b"content-encoding", b"gzip"), (b"x-a", b"3")]


def test_what_speaks_of_the_hop_is_not_stored() -> None:
    came = [*HEAD, (b"connection", b"close, x-b"), (b"x-b", b"1"), (b"transfer-encoding", b"chunked"), (b"age", b"3")]
    assert kept_fields(came) == HEAD
    assert kept_fields(HEAD, frozenset({b"etag"})) == HEAD[1:]


def test_a_304_says_nothing_of_a_body() -> None:
    assert head_of_304(HEAD) == HEAD[:2]
