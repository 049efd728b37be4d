"""What the fields of a request mean: as over HTTP/1.1, or a refusal."""

import pytest

from foregate.http1.head import Refusal
from foregate.http2.request import Asked, RawFields, Requests

GET: RawFields = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a.example"), (b":path", b"/x?y=1"))


def read(fields: RawFields, *, bodiless: bool = True) -> Asked:
    asked = Requests().read(fields, bodiless)
    assert isinstance(asked, Asked), asked
    return asked


def changed(name: bytes, value: bytes) -> RawFields:
    return tuple((key, value if key == name else old) for key, old in GET)


def test_pseudo_headers_are_method_target_and_host() -> None:
    asked = read((*GET, (b"accept", b"*/*")))
    assert (asked.method, asked.target, asked.head.host) == (b"GET", b"/x?y=1", b"a.example")
    assert asked.headers == [(b"host", b"a.example"), (b"accept", b"*/*")]


def test_a_host_that_says_the_same_is_dropped_and_one_alone_serves() -> None:
    assert read((*GET, (b"host", b"A.example"))).headers == [(b"host", b"a.example")]
    assert read((GET[0], GET[1], GET[3], (b"host", b"b"))).head.host == b"b"


def test_crumbs_of_cookies_become_one_field() -> None:
    asked = read((*GET, (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")))
    assert asked.headers[1:] == [(b"x", b"y"), (b"cookie", b"a=1; b=2")]


def test_a_body_without_a_length_has_one_that_is_not_known() -> None:
    post = changed(b":method", b"POST")
    assert read(post, bodiless=False).head.chunked
    sized = read((*post, (b"content-length", b"3")), bodiless=False).head
    assert (sized.chunked, sized.content_length) == (False, 3)
    assert read(post).head.content_length == 0
    assert read(GET).head.content_length is None


def test_the_same_fields_get_the_same_head_whatever_is_asked_for() -> None:
    requests = Requests()
    first = requests.read((*GET, (b"accept", b"*/*")), True)
    second = requests.read((*changed(b":path", b"/z"), (b"accept", b"*/*")), True)
    other = requests.read((*changed(b":authority", b"b"), (b"accept", b"*/*")), True)
    assert isinstance(first, Asked)
    assert isinstance(second, Asked)
    assert isinstance(other, Asked)
    assert first.head is second.head
    assert second.target == b"/z"
    assert other.head is not first.head


def test_a_head_with_a_body_is_nobodys_else() -> None:
    requests = Requests()
    post = changed(b":method", b"POST")
    first, second = requests.read(post, False), requests.read(post, False)
    assert isinstance(first, Asked)
    assert isinstance(second, Asked)
    assert first.head is not second.head


def test_an_extended_connect_is_a_get_that_wishes_to_upgrade() -> None:
    asked = read((*changed(b":method", b"CONNECT"), (b":protocol", b"websocket")), bodiless=False)
    assert (asked.method, asked.head.upgrade, asked.head.chunked) == (b"GET", b"websocket", False)


def test_a_connect_with_content_is_refused() -> None:
    fields = (*changed(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b"content-length", b"5"))
    refusal = Requests().read(fields, False)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "malformed_request"


def test_a_connect_that_ends_at_once_lends_its_wish_to_no_other_request() -> None:
    requests = Requests()
    connect = (*changed(b":method", b"CONNECT"), (b":protocol", b"websocket"))
    asked = [requests.read(fields, True) for fields in (GET, connect, GET)]
    assert [each.head.upgrade for each in asked if isinstance(each, Asked)] == [b"", b"websocket", b""]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (changed(b":authority", b"a b"), "malformed_request"),
        (changed(b":authority", b"a:080"), "malformed_request"),
        (changed(b":path", b"x"), "malformed_request"),
        (changed(b":path", b"*"), "malformed_request"),
        (changed(b":path", b"/a#b"), "malformed_request"),
        (changed(b":path", b"/\xc3\xa9"), "malformed_request"),
        (changed(b":path", b"/" + b"a" * 9_000), "uri_too_long"),
        (changed(b":scheme", b"ftp"), "malformed_request"),
        (changed(b":method", b"A" * 33), "malformed_request"),
        (changed(b":method", b"CONNECT"), "method_not_allowed"),
        ((*changed(b":method", b"CONNECT"), (b":protocol", b"connect-udp")), "method_not_allowed"),
        ((*GET, (b":protocol", b"websocket")), "malformed_request"),
        ((*GET, (b"host", b"b.example")), "malformed_request"),
        ((*GET[:2], GET[3]), "malformed_request"),
        ((*GET, (b"expect", b"miracles")), "expectation_failed"),
        ((*GET, (b"x", b"y" * 40_000)), "headers_too_large"),
        ((*GET, *((b"x%d" % i, b"") for i in range(120))), "headers_too_large"),
    ],
)
def test_what_is_not_plainly_a_request_is_refused(fields: RawFields, code: str) -> None:
    refusal = Requests().read(fields, True)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
