"""Heads that come again with the same bytes are not parsed again, and mean what they meant: never more, never less."""

import pytest
from tests.http1.test_client import OK, fetch
from tests.http1.test_fuzz import _Nobody

from foregate.http1.exchange import Exchange
from foregate.http1.intake import RequestIntake
from foregate.http1.repeated import remembered
from foregate.kernel import limits

FIELDS = b" HTTP/1.1\r\nHost: a\r\nX-Api-Key: k\r\n\r\n"


def intake(requests_max: int = 0) -> RequestIntake:
    return RequestIntake(_Nobody(), 1_000_000, requests_max)  # type: ignore[arg-type]


def fed(*pieces: bytes) -> tuple[RequestIntake, list[Exchange]]:
    """Feeds the pieces as a server would that answers at once."""
    taking, exchanges = intake(), []
    for piece in pieces:
        taking.feed(piece)
        exchanges += [each for each in taking.queue if each.complete]
        if exchanges and exchanges[-1].complete and taking.filling is None:
            taking.queue.clear()
    return taking, exchanges


def test_the_same_fields_again_are_the_same_list_with_another_method_and_target() -> None:
    taking, (first, second, third) = fed(b"GET /1?a=b" + FIELDS, b"GET /2" + FIELDS, b"HEAD /3?c" + FIELDS)
    assert second.headers is first.headers
    assert third.headers is first.headers
    assert [each.method for each in (first, second, third)] == [b"GET", b"GET", b"HEAD"]
    assert [each.target for each in (first, second, third)] == [b"/1?a=b", b"/2", b"/3?c"]
    assert third.head.host == b"a"
    assert (third.version, third.complete, third.close_after, third.has_body) == ("1.1", True, False, False)
    assert taking.refusal is None


def test_other_fields_are_parsed_and_then_remembered_instead() -> None:
    other = b" HTTP/1.1\r\nHost: b\r\n\r\n"
    _, (first, second, third) = fed(b"GET /1" + FIELDS, b"GET /2" + other, b"GET /3" + other)
    assert [each.head.host for each in (first, second, third)] == [b"a", b"b", b"b"]
    assert third.headers is second.headers is not first.headers


def test_a_whole_request_again_is_the_same_again_until_the_fields_change() -> None:
    one, two, other = b"GET /1?x" + FIELDS, b"DELETE /2" + FIELDS, b"GET /1?x HTTP/1.1\r\nHost: b\r\n\r\n"
    _, exchanges = fed(one, one, one, two, two, one, other, other, one, one)
    asked = [(each.method, each.target, each.head.host) for each in exchanges]
    first, second, third = (b"GET", b"/1?x", b"a"), (b"DELETE", b"/2", b"a"), (b"GET", b"/1?x", b"b")
    assert asked == [first, first, first, second, second, first, third, third, first, first]
    assert all(each.complete and not each.close_after for each in exchanges)


def test_a_whole_request_again_within_a_body_stays_a_body() -> None:
    inner = b"GET /2" + FIELDS
    head = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(inner)
    _, exchanges = fed(inner, inner, head, inner, inner)
    assert [each.target for each in exchanges] == [b"/2", b"/2", b"/p", b"/2"]


@pytest.mark.parametrize(
    "unusual",
    [
        b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: x-hop\r\n\r\n",
        b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        b"GET /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
        b"GET  /1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /1 HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (b"x" * limits.REPEATED_HEAD_BYTES_MAX),
    ],
)
def test_nothing_unusual_is_remembered(unusual: bytes) -> None:
    taking, exchanges = fed(unusual)
    assert len(exchanges) == 1
    assert taking._repeated == b""


@pytest.mark.parametrize(
    "line",
    [
        b"P",
        b"GET ",
        b"GET",
        b"GET x",
        b"GET /a b",
        b"GET /a#b",
        b"GET /\x01",
        b"GET\t/a",
        b"get /",
        b"CONNECT a:1",
        b"/",
    ],
)
def test_a_line_that_is_no_method_and_path_is_left_to_the_parser(line: bytes) -> None:
    taking, exchanges = fed(b"GET /1" + FIELDS, line + FIELDS)
    assert len(exchanges) == 1
    assert taking.refusal is not None


def test_bytes_that_came_before_belong_to_the_request() -> None:
    for before in (b"P", b"GE", b"X-", b"GET /a HTTP/1.1\r\nX: "):
        taking, exchanges = fed(b"GET /1" + FIELDS, before, b"GET /2" + FIELDS)
        assert taking.refusal is not None or exchanges[-1].target == b"/a", before
        assert all(each.target != b"/2" for each in exchanges), before


def test_a_body_that_looks_like_a_known_request_stays_a_body() -> None:
    inner = b"GET /2" + FIELDS
    head = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(inner)
    _, exchanges = fed(b"GET /1" + FIELDS, head, inner, b"GET /3" + FIELDS)
    assert [each.target for each in exchanges] == [b"/1", b"/p", b"/3"]
    assert exchanges[1].take_body() == [inner]


def test_the_last_request_of_a_connection_closes_it_though_it_is_known() -> None:
    taking = intake(requests_max=2)
    taking.feed(b"GET /1" + FIELDS)
    taking.feed(b"GET /2" + FIELDS)
    assert [each.close_after for each in taking.queue] == [False, True]


def test_a_client_whose_heads_all_differ_costs_no_more_memory_of_them() -> None:
    heads = [b"GET / HTTP/1.1\r\nHost: a\r\nX-Trace: %d\r\n\r\n" % number for number in range(20)]
    taking, exchanges = fed(*heads)
    assert len(exchanges) == 20
    assert taking._repeated.endswith(b"X-Trace: 7\r\n\r\n")


# --- answers ---------------------------------------------------------------------------------------------------


def test_a_known_answer_brings_its_own_body() -> None:
    other = OK.replace(b"ok", b"no")
    assert fetch(OK, other, OK, times=3, then_close=False) == ([b"ok", b"no", b"ok"], [3])


def test_a_known_answer_followed_by_more_is_not_trusted_with_the_next_request() -> None:
    bodies, served = fetch(OK, OK + b"HTTP/1.1 200 OK\r\n", OK, times=3, then_close=False)
    assert bodies == [b"ok"] * 3
    assert served == [2, 1]


def test_a_known_head_before_another_length_or_to_head_is_parsed() -> None:
    longer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlong"
    assert fetch(OK, longer, OK, times=3, then_close=False) == ([b"ok", b"long", b"ok"], [3])
    silent = OK[:-2]
    assert fetch(silent, silent, method="HEAD", times=2, then_close=False) == ([b"", b""], [2])


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\r\n\r\n\r\n\r\n", 4),  # four bytes too many
        (b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 2),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 2),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: 0\r\n\r\n" % (b"x" * limits.REPEATED_HEAD_BYTES_MAX), 0),
    ],
)
def test_what_is_not_a_whole_plain_answer_is_not_remembered(data: bytes, length: int | None) -> None:
    assert remembered(data, 200, [], length) is None
    assert remembered(OK, 200, [], 2) is not None
