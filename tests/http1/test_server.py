"""Framing, order, keep-alive and time limits of the server side, over real sockets."""

import asyncio

from tests.http1.world import Seen, answer_ok, context, listen, run, serving, statuses, talk

from foregate.http1 import Request, Response
from foregate.http1.exchange import Exchange

CLOSE = b"Connection: close\r\n"


def ask(*pieces: bytes, pause_s: float = 0.0) -> tuple[bytes, Seen]:
    seen = Seen()

    async def main() -> bytes:
        async with serving(seen) as port:
            return await talk(port, *pieces, pause_s=pause_s)

    return run(main), seen


def test_pipelined_requests_are_answered_in_order() -> None:
    async def slow_first(request: Request) -> Response:
        await asyncio.sleep(0.05 if request.path == "/0" else 0)
        return Response(200, request.path.encode(), [])

    async def main() -> bytes:
        async with serving(slow_first) as port:
            requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(200)]
            last = b"GET /last HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n"
            return await talk(port, b"".join(requests) + last)

    answer = run(main)
    bodies = [part.rpartition(b"\r\n\r\n")[2].decode() for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [f"/{number}" for number in range(200)] + ["/last"]


def test_a_request_may_come_byte_by_byte() -> None:
    data = b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"\r\n3\r\nabc\r\n0\r\n\r\n"
    answer, seen = ask(*[data[at : at + 1] for at in range(len(data))])
    assert statuses(answer) == [200]
    assert seen.requests == [("POST", "/p", b"abc")]


def test_trailers_are_not_taken_for_headers_or_for_a_request() -> None:
    data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nHost: b\r\nX: y\r\n\r\n"
    answer, seen = ask(data + b"GET /next HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert statuses(answer) == [200, 200]
    assert [path for _, path, _ in seen.requests] == ["/", "/next"]


def test_a_wish_to_upgrade_is_ignored() -> None:
    upgrade = b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    answer, seen = ask(upgrade + b"GET /2 HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert statuses(answer) == [200, 200]
    assert [path for _, path, _ in seen.requests] == ["/1", "/2"]


def test_the_body_of_a_request_that_wishes_to_upgrade_is_not_taken_for_a_request() -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    wish = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    counted = b"POST /1 HTTP/1.1\r\nHost: a\r\n" + wish + b"Content-Length: %d\r\n\r\n" % len(smuggled) + smuggled
    chunked = b"POST /2 HTTP/1.1\r\nHost: a\r\n" + wish + b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(smuggled), smuggled)
    answer, seen = ask(counted + chunked + b"GET /3 HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert len(statuses(answer)) == 3
    assert seen.requests == [("POST", "/1", smuggled), ("POST", "/2", smuggled), ("GET", "/3", b"")]


def test_http_1_0_closes_unless_asked_to_keep_alive() -> None:
    answer, _ = ask(b"GET / HTTP/1.0\r\n\r\n")
    assert b"connection: close" in answer
    kept, seen = ask(b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"GET /2 HTTP/1.0\r\n\r\n", pause_s=0.05)
    assert b"connection: keep-alive" in kept
    assert len(seen.requests) == 2


def test_a_stream_to_an_http_1_0_client_ends_with_the_connection() -> None:
    async def stream(request: Request) -> Response:
        async def parts():  # type: ignore[no-untyped-def]
            yield b"one "
            yield b"two"

        return Response(200, parts(), [])

    async def main() -> bytes:
        async with serving(stream) as port:
            return await talk(port, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")

    answer = run(main)
    assert b"transfer-encoding" not in answer
    assert answer.endswith(b"\r\n\r\none two")


def test_head_has_the_length_and_no_body() -> None:
    answer, _ = ask(b"HEAD /abc HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert b"content-length: 4\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_204_and_304_have_neither_body_nor_chunks() -> None:
    async def bare(request: Request) -> Response:
        return Response(int(request.path[1:]), b"", [])

    async def main() -> bytes:
        async with serving(bare) as port:
            first = b"GET /204 HTTP/1.1\r\nHost: a\r\n\r\n"
            return await talk(port, first + b"GET /304 HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")

    answer = run(main)
    assert statuses(answer) == [204, 304]
    assert b"chunked" not in answer


def test_a_client_that_expects_is_told_to_continue_before_its_body() -> None:
    async def main() -> tuple[bytes, bytes]:
        async with serving(Seen()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n" + CLOSE + b"\r\n"
            )
            interim = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"abc")
            final = await reader.read()
            writer.close()
            return interim, final

    interim, final = run(main)
    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert final.endswith(b"abc")


def test_a_client_that_drips_its_head_is_refused_with_408() -> None:
    async def main() -> bytes:
        shared = context(answer_ok, header_timeout_s=0.2)
        server, port = await listen(shared)
        answer = await talk(port, *[b"GET / HTTP/1.1\r\nHost: a\r\n"], *[b"X: a\r\n"] * 8, pause_s=0.05)
        server.close()
        await shared.close(0)
        return answer

    assert statuses(run(main)) == [408]


def test_an_idle_connection_is_closed_without_a_word() -> None:
    async def main() -> bytes:
        shared = context(answer_ok, idle_timeout_s=0.1)
        server, port = await listen(shared)
        answer = await talk(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        server.close()
        await shared.close(0)
        return answer

    assert statuses(run(main)) == [200]


def test_a_body_that_never_comes_is_refused_with_408() -> None:
    class Waiting:
        codes: list[str] = []  # noqa: RUF012 - one test, one list

        def __init__(self, exchange: Exchange) -> None:
            exchange.receiver = self

        def request_body(self, chunks: list[bytes], complete: bool) -> None: ...

        def request_aborted(self, code: str) -> None:
            self.codes.append(code)

        def response_paused(self, paused: bool) -> None: ...

    async def main() -> bytes:
        shared = context(Waiting, idle_timeout_s=0.1)
        server, port = await listen(shared)
        answer = await talk(port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        server.close()
        await shared.close(0)
        return answer

    assert statuses(run(main)) == [408]
    assert Waiting.codes == ["request_timeout"]


def test_an_early_answer_to_a_large_upload_can_be_read() -> None:
    async def main() -> bytes:
        shared = context(answer_ok)
        server, port = await listen(shared)
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n"
        answer = await talk(port, head, *[b"x" * 40_000] * 10)
        server.close()
        await shared.close(0)
        return answer

    answer = run(main)
    assert statuses(answer) == [200]
    assert b"connection: close" in answer


def test_draining_lets_idle_connections_linger_and_closes_busy_ones_with_their_answer() -> None:
    exchanges: list[Exchange] = []

    async def main() -> tuple[bytes, bytes]:
        shared = context(exchanges.append)
        server, port = await listen(shared)
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        busy_reader, busy_writer = await asyncio.open_connection("127.0.0.1", port)
        busy_writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while not exchanges:
            await asyncio.sleep(0.01)
        server.close()
        closing = asyncio.ensure_future(shared.close(2.0))
        await asyncio.sleep(0.1)
        assert not idle_reader.at_eof()
        idle = await idle_reader.read()
        assert not closing.done()
        answer_ok(exchanges[0])
        busy = await busy_reader.read()
        await closing
        idle_writer.close()
        busy_writer.close()
        return idle, busy

    idle, busy = run(main)
    assert idle == b""
    assert busy.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in busy


def test_a_request_that_comes_on_an_idle_connection_while_a_server_drains_is_still_answered() -> None:
    async def main() -> bytes:
        shared = context(answer_ok)
        server, port = await listen(shared)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"ok")
        server.close()
        closing = asyncio.ensure_future(shared.close(10.0))
        await asyncio.sleep(0.2)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        late = await reader.read()
        await closing
        writer.close()
        return late

    late = run(main)
    assert late.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in late


def test_what_an_application_declares_too_short_never_reaches_the_client_as_whole() -> None:
    def overrun(exchange: Exchange) -> None:
        exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", 2)
        exchange.write(b"three")
        exchange.end()

    async def main() -> bytes:
        shared = context(overrun)
        server, port = await listen(shared)
        answer = await talk(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        server.close()
        await shared.close(0)
        return answer

    assert b"three" not in run(main)
