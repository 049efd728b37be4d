"""Trailers travel both ways, except those that must not; over real sockets."""

import asyncio

import pytest
from tests.http1.test_client import scripted
from tests.http1.world import client, context, run, served_by, statuses, talk

from foregate.http1.client import ClientConnection, frame
from foregate.http1.exchange import Exchange
from foregate.http1.fetch import Address
from foregate.http1.trailers import kept, last_chunk

POST = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close, x-private\r\nTransfer-Encoding: chunked\r\n\r\n"


class Taking:
    """Notes the request's trailers once it is complete, and answers with a body and two trailers."""

    def __init__(self, exchange: Exchange, seen: list[list[tuple[bytes, bytes]]], length: int | None = None) -> None:
        self.exchange, self.seen, self.length = exchange, seen, length
        exchange.receiver = self
        self.request_body(exchange.take_body(), exchange.complete)

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        if not complete:
            return
        self.seen.append(list(self.exchange.trailers))
        self.exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", self.length)
        self.exchange.write(b"ok")
        self.exchange.end([(b"x-sum", b"42"), (b"server-timing", b"db;dur=1")])
        self.exchange.flush()

    def request_aborted(self, code: str) -> None: ...

    def response_paused(self, paused: bool) -> None: ...


def ask(*pieces: bytes, length: int | None = None) -> tuple[bytes, list[list[tuple[bytes, bytes]]]]:
    seen: list[list[tuple[bytes, bytes]]] = []

    async def main() -> bytes:
        async with served_by(context(lambda exchange: Taking(exchange, seen, length))) as port:
            return await talk(port, *pieces, pause_s=0.01)

    return run(main), seen


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_requests_trailers_reach_whoever_answers_once_it_is_complete(in_pieces: bool) -> None:
    data = POST + b"2\r\nhi\r\n0\r\nX-Sum: 17\r\nGrpc-Status: 0\r\n\r\n"
    _, seen = ask(*([data[:90], data[90:-9], data[-9:]] if in_pieces else [data]))
    assert seen == [[(b"x-sum", b"17"), (b"grpc-status", b"0")]]


def test_trailers_that_frame_route_or_authenticate_are_dropped() -> None:
    forbidden = (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: evil\r\nAuthorization: Basic x\r\nX-Api-Key: k\r\n"
        b"Content-Type: text/html\r\nX-Forwarded-For: 1.2.3.4\r\nCookie: a\r\nTE: gzip\r\n"
        b"X-Private: 1\r\nIf-Match: x\r\n"
    )
    answer, seen = ask(POST + b"0\r\n" + forbidden + b"X-Good: 1\r\n\r\n")
    if statuses(answer) == [400]:  # the parser may refuse framing fields outright
        assert seen == []
        forbidden = forbidden.split(b"\r\n", 2)[2]
        answer, seen = ask(POST + b"0\r\n" + forbidden + b"X-Good: 1\r\n\r\n")
    assert seen == [[(b"x-good", b"1")]]


def test_too_many_trailers_are_refused_and_nobody_is_told_that_the_request_is_complete() -> None:
    answer, seen = ask(POST + b"20\r\n" + b"x" * 32 + b"\r\n0\r\n" + b"X: 1\r\n" * 101 + b"\r\n")
    assert statuses(answer) == [431]
    assert seen == []


def test_the_trailers_of_one_request_are_not_those_of_the_next() -> None:
    keep = POST.replace(b"close, ", b"")
    _, seen = ask(keep + b"0\r\nX-One: 1\r\n\r\n" + keep + b"0\r\n\r\n" + POST + b"0\r\nX-Two: 2\r\n\r\n")
    assert seen == [[(b"x-one", b"1")], [], [(b"x-two", b"2")]]


def test_an_answers_trailers_end_its_chunks() -> None:
    answer, _ = ask(POST + b"0\r\n\r\n")
    assert answer.endswith(b"2\r\nok\r\n0\r\nx-sum: 42\r\nserver-timing: db;dur=1\r\n\r\n")


def test_an_answer_without_chunks_has_no_trailers() -> None:
    counted, _ = ask(POST + b"0\r\n\r\n", length=2)
    assert counted.endswith(b"\r\n\r\nok")
    until_close, _ = ask(b"POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
    assert until_close.endswith(b"\r\n\r\nok")
    silent, _ = ask(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert silent.endswith(b"\r\n\r\n")
    assert b"x-sum" not in silent


def test_a_trailer_cannot_break_out_of_its_line() -> None:
    assert frame([b"ab"], True, [(b"x", b"1")]) == b"2\r\nab\r\n0\r\nx: 1\r\n\r\n"
    assert frame([b"ab"], False, [(b"x", b"1")]) == b"2\r\nab\r\n"
    with pytest.raises(ValueError, match="line break"):
        last_chunk([(b"x", b"1\r\n\r\nGET / HTTP/1.1")])


def test_what_a_gateway_adds_or_takes_away_in_heads_is_kept_in_no_trailer() -> None:
    names = [b"x-gateway-service", b"x-request-id", b"traceparent", b"set-cookie", b"access-control-allow-origin"]
    assert kept([(name, b"1") for name in names]) == []


class Asking:
    """Keeps what an upstream answers."""

    def __init__(self) -> None:
        self.connection: ClientConnection | None = None
        self.trailers: list[tuple[bytes, bytes]] = []
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def response_head(self, connection: ClientConnection, chunks: list[bytes], complete: bool) -> None:
        self.connection = connection
        self.response_body(chunks, complete)

    def response_body(self, chunks: list[bytes], complete: bool) -> None:
        if complete and self.connection is not None:
            self.trailers = list(self.connection.trailers)
            self.ended.set_result("")

    def response_failed(self, code: str) -> None:
        self.ended.set_result(code)

    def request_paused(self, paused: bool) -> None: ...


def fetch(answer: bytes) -> tuple[str, list[tuple[bytes, bytes]]]:
    async def main() -> tuple[str, list[tuple[bytes, bytes]]]:
        async with scripted(answer, then_close=False) as (url, _), client() as asking:
            port = int(url.rstrip("/").rpartition(":")[2])
            connection = await asking._connect(Address("127.0.0.1", port), 5.0)
            mine = Asking()
            request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
            connection.send(mine, request, 5.0, head_only=False, complete=True, chunked=False)
            return await mine.ended, mine.trailers

    return run(main)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive, x-hop\r\n\r\n"


def test_an_upstreams_trailers_are_there_with_its_last_byte() -> None:
    trailers = b"X-Sum: 1\r\nSet-Cookie: a=b\r\nX-Hop: 1\r\nGrpc-Status: 0\r\n"
    assert fetch(CHUNKED + b"1\r\nx\r\n0\r\n" + trailers + b"\r\n") == ("", [(b"x-sum", b"1"), (b"grpc-status", b"0")])


@pytest.mark.parametrize(
    "endless",
    [b"0\r\n" + b"X: 1\r\n" * 101 + b"\r\n", b"0\r\nX: " + b"a" * 200_000, b"1;" + b"x" * 200_000],
    ids=["count", "one endless trailer", "one endless extension"],
)
def test_an_upstreams_framing_may_not_grow_without_bound(endless: bytes) -> None:
    assert fetch(CHUNKED + b"1\r\nx\r\n" + endless)[0] in ("upstream_truncated", "upstream_malformed")
