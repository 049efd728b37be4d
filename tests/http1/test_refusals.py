"""What is ambiguous or too large is refused and closed, and nobody ever sees it."""

import pytest
from tests.http1.world import Seen, run, serving, statuses, talk

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
END = b"0\r\n\r\n"

MALFORMED = {
    "content-length beside transfer-encoding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
    "transfer-encoding beside content-length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + END,
    "differing content-lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of content-lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "signed content-length": POST + b"Content-Length: +3\r\n\r\nabc",
    "hexadecimal content-length": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "huge content-length": POST + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "obs-fold": GET + b"X: a\r\n b\r\n\r\n",
    "obs-fold with a tab": GET + b"X: a\r\n\tb\r\n\r\n",
    "fold before the first header": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: a\r\n\r\n",
    "bare LF after a value": GET + b"X: a\n\r\n",
    "bare LF as the blank line": GET + b"X: a\r\n\n",
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare CR in a value": GET + b"X: a\rb\r\n\r\n",
    "whitespace before the colon": GET + b"X : a\r\n\r\n",
    "two Hosts": GET + b"Host: a\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts in one Host": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "Host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "Host with user info": b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "Host of more than 255 bytes": b"GET / HTTP/1.1\r\nHost: " + b"a." * 127 + b"ab\r\n\r\n",
    "Host of nothing but dots": b"GET / HTTP/1.1\r\nHost: " + b"." * 255 + b"\r\n\r\n",
    "Host with an empty label at its end": b"GET / HTTP/1.1\r\nHost: admin.example.com..\r\n\r\n",
    "Host with an empty label within": b"GET / HTTP/1.1\r\nHost: admin..example.com\r\n\r\n",
    "Host with two ports": b"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
    "Host with a leading zero in its port": b"GET / HTTP/1.1\r\nHost: a:080\r\n\r\n",
    "Host with a name in brackets": b"GET / HTTP/1.1\r\nHost: [name]\r\n\r\n",
    "Host with half an IPv6 address": b"GET / HTTP/1.1\r\nHost: [::1::2]\r\n\r\n",
    "Host with an open bracket": b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "Host with a control byte": b"GET / HTTP/1.1\r\nHost: a\x01b\r\n\r\n",
    "Host with a tab": b"GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n",
    "Host with DEL": b"GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n",
    "Host with an escape": b"GET / HTTP/1.1\r\nHost: a%2e\r\n\r\n",
    "absolute-form for another host": b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute-form without a host": b"GET http:// HTTP/1.0\r\n\r\n",
    "absolute-form without a host, but a path": b"GET http:///a HTTP/1.1\r\nHost:\r\n\r\n",
    "absolute-form with user info": b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a scheme that is not http": b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target without a slash": b"GET x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a fragment in the target": b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "* for GET": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "gzip as transfer coding": POST + b"Transfer-Encoding: gzip\r\n\r\n" + END,
    "gzip before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + END,
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + END,
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + END,
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
    "a chunk size that is none": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n" + END,
    "bare LF after a chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n2\nab\r\n" + END,
    "a chunk longer than its size": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n" + END,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "a method that is none": b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "control character in the target": b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
}


def answer_to(data: bytes) -> tuple[bytes, Seen]:
    seen = Seen()

    async def main() -> bytes:
        async with serving(seen) as port:
            return await talk(port, data)

    return run(main), seen


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_is_answered_400_closed_and_seen_by_nobody(data: bytes) -> None:
    answer, seen = answer_to(data)
    assert statuses(answer) == [400]
    assert b"connection: close" in answer
    assert b'"code": "malformed_request"' in answer
    assert seen.requests == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (GET + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (GET + b"X: a\r\n" * 101 + b"\r\n", 431),
        (GET + b"X: " + b"a" * 200_000, 431),  # never ends
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (POST + b"Expect: the impossible\r\nContent-Length: 1\r\n\r\na", 417),
        (POST + b"Content-Length: 99999999999\r\n\r\n", 413),
    ],
    ids=["414 target", "431 value", "431 count", "431 endless", "405 CONNECT", "417 Expect", "413 length"],
)
def test_too_much_is_refused_with_its_own_status_and_closed(data: bytes, status: int) -> None:
    answer, seen = answer_to(data)
    assert statuses(answer) == [status]
    assert seen.requests == []


def test_endless_chunk_extensions_are_refused() -> None:
    answer, seen = answer_to(POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 300_000)
    assert statuses(answer) == [400]
    assert seen.requests == []


def test_a_request_before_the_malformed_one_is_still_served() -> None:
    answer, seen = answer_to(b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n" + GET + b"X : a\r\n\r\n")
    assert statuses(answer) == [200, 400]
    assert [path for _, path, _ in seen.requests] == ["/good"]


def test_nothing_after_a_malformed_request_is_served() -> None:
    answer, seen = answer_to(GET + b"X : a\r\n\r\n" + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    assert statuses(answer) == [400]
    assert seen.requests == []
