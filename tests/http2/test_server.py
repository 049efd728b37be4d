"""One HTTP/2 connection: exchanges, windows, time limits, and its end; over real sockets, asked by another library."""

import asyncio
import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.http1.certificates import make
from tests.http1.world import run, statuses, talk
from tests.http2.asking import HEADERS, PING, PREFACE, SETTINGS, Asking, asking, context, frame, served_by

from foregate.http1.tls import HTTP1, HTTP2, ServerCertificates, client_context
from foregate.http2.exchange import Exchange
from foregate.kernel import limits


class Receiver:
    """Takes a request and remembers all that it was told; answers when it is asked to."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        exchange.receiver = self
        self.body = b"".join(exchange.take_body())
        self.complete = exchange.told_complete
        self.aborted = ""
        self.paused: list[bool] = []

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        self.body += b"".join(chunks)
        self.complete = complete

    def request_aborted(self, code: str) -> None:
        self.aborted = code

    def response_paused(self, paused: bool) -> None:
        self.paused.append(paused)


class Application:
    def __init__(self) -> None:
        self.seen: list[Receiver] = []

    def __call__(self, exchange: Exchange) -> None:
        self.seen.append(Receiver(exchange))

    async def next(self, number: int = 1) -> Receiver:
        while len(self.seen) < number:
            await asyncio.sleep(0.001)
        return self.seen[number - 1]


def answer_ok(exchange: Exchange) -> None:
    exchange.send_whole(200, (b"HTTP/1.1 200 OK\r\n", exchange.date_line), 2, [b"ok"])
    exchange.end()


async def until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("size", [1, 3, 14, 23, 24, 1_000])
def test_a_preface_is_known_however_it_is_cut(size: int) -> None:
    async def main() -> None:
        async with served_by(context(answer_ok)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            data = PREFACE + frame(SETTINGS, 0, 0) + frame(PING, 0, 0, b"01234567")
            for start in range(0, len(data), size):
                writer.write(data[start : start + size])
                await asyncio.sleep(0.002)
            assert await reader.readuntil(b"01234567")
            writer.close()

    run(main)


def test_what_only_begins_like_the_preface_is_http_1() -> None:
    async def main() -> None:
        async with served_by(context(answer_ok)) as port:
            asked = b"PRI", b"OPFIND / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            assert statuses(await talk(port, b"P", b"OST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")) == [200]
            assert statuses(await talk(port, *asked, pause_s=0.01)) in ([400], [200])

    run(main)


def test_without_http2_the_preface_is_refused() -> None:
    async def main() -> None:
        shared = context(answer_ok)
        shared.http2 = None
        async with served_by(shared) as port:
            assert statuses(await talk(port, PREFACE + frame(SETTINGS, 0, 0))) == [400]

    run(main)


def test_a_hundred_requests_at_a_time_are_answered_in_any_order() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            streams = [client.begin(f"/{number}") for number in range(100)]
            await application.next(100)
            for receiver in reversed(application.seen):
                body = receiver.exchange.target
                receiver.exchange.send_whole(200, (b"HTTP/1.1 200 OK\r\n",), len(body), [body])
                receiver.exchange.end()
            answers = [await client.answer(stream) for stream in streams]
            assert [answer.body for answer in answers] == [b"/%d" % number for number in range(100)]

    run(main)


def test_bodies_stream_both_ways_with_trailers() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            stream = client.begin("/", "POST", (b"content-type", b"application/grpc+proto"), end=False)
            receiver = await application.next()
            exchange = receiver.exchange
            assert (exchange.protocol, exchange.has_body, receiver.complete) == ("grpc", True, False)
            for number in range(3):
                client.send(stream, b"ping%d" % number)
                await until(lambda: receiver.body.endswith(b"ping%d" % number))  # noqa: B023
                if not number:
                    exchange.send_head(200, b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n", None)
                exchange.write(b"pong%d" % number)
                exchange.flush()
                await client.until(lambda: client.answers[stream].body.endswith(b"pong%d" % number))  # noqa: B023
            client.end(stream, [(b"x-sum", b"1"), (b"x-api-key", b"9")])
            await until(lambda: receiver.complete)
            assert exchange.trailers == [(b"x-sum", b"1")]
            exchange.end([(b"grpc-status", b"0")])
            answer = await client.answer(stream)
            assert (answer.body, answer.trailers) == (b"pong0pong1pong2", {b"grpc-status": b"0"})

    run(main)


def test_an_answer_of_trailers_alone_is_one_head_that_ends_the_stream() -> None:
    def application(exchange: Exchange) -> None:
        exchange.send_whole(200, (b"HTTP/1.1 200 OK\r\ngrpc-status: 12\r\n",), 0, [])
        exchange.end()

    async def main() -> None:
        async with served_by(context(application)) as port, asking(port) as client:
            answer = await client.ask("/", "POST", (b"content-type", b"application/grpc"))
            assert (answer.headers, answer.body) == ({b":status": b"200", b"grpc-status": b"12"}, b"")

    run(main)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_answers_without_a_body_have_none(method: str, status: int) -> None:
    def application(exchange: Exchange) -> None:
        exchange.send_whole(status, (b"HTTP/1.1 %d X\r\n" % status,), 5, [b"hello"])
        exchange.end()

    async def main() -> None:
        async with served_by(context(application)) as port, asking(port) as client:
            answer = await client.ask("/", method)
            assert (answer.status, answer.body, answer.ended) == (status, b"", True)
            assert answer.headers.get(b"content-length") == (None if status == 204 else b"5")

    run(main)


@pytest.mark.parametrize("written", [b"hell", b"hello!"])
def test_an_answer_that_breaks_its_promised_length_is_reset_and_the_connection_lives(written: bytes) -> None:
    def application(exchange: Exchange) -> None:
        if exchange.target == b"/ok":
            answer_ok(exchange)
            return
        exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", 5)
        exchange.flush()
        exchange.write(written)
        exchange.end()

    async def main() -> None:
        async with served_by(context(application)) as port, asking(port) as client:
            answer = await client.ask("/")
            assert (answer.ended, answer.reset) == (False, 2)
            assert (await client.ask("/ok")).body == b"ok"

    run(main)


def test_a_body_that_came_with_its_head_has_a_known_size() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            stream = client.h2.get_next_available_stream_id()
            fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")]
            client.h2.send_headers(stream, fields)
            client.h2.send_data(stream, b"abc", end_stream=True)
            client.flush()
            receiver = await application.next()
            head = receiver.exchange.head
            assert (head.chunked, head.content_length, receiver.body, receiver.complete) == (False, 3, b"abc", True)

    run(main)


def test_a_client_that_waits_for_100_is_told_to_go_on() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            stream = client.begin("/", "POST", (b"expect", b"100-continue"), (b"content-length", b"3"), end=False)
            receiver = await application.next()
            receiver.exchange.send_continue()
            await client.until(lambda: client.answers[stream].interim == [100])
            client.send(stream, b"abc", end=True)
            await until(lambda: receiver.complete)
            assert receiver.body == b"abc"

    run(main)


def test_a_reset_tells_the_receiver_and_leaves_the_other_streams_alone() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            left, stays = client.begin("/left"), client.begin("/stays")
            await application.next(2)
            client.reset(left)
            await until(lambda: application.seen[0].aborted)
            assert [receiver.aborted for receiver in application.seen] == ["client_closed", ""]
            application.seen[0].exchange.write(b"late")  # whoever has not heard of it yet does no harm
            application.seen[0].exchange.end()
            answer_ok(application.seen[1].exchange)
            assert (await client.answer(stays)).body == b"ok"

    run(main)


def test_a_connection_that_is_lost_tells_all_its_receivers() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port:
            async with asking(port) as client:
                for _ in range(5):
                    client.begin()
                await application.next(5)
            await until(lambda: all(receiver.aborted == "client_closed" for receiver in application.seen))

    run(main)


def test_a_slow_reader_pauses_its_own_answer_and_nobody_elses() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port, takes=False, window=30_000) as client:
            slow = client.begin("/slow")
            receiver = await application.next()
            receiver.exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", None)
            for _ in range(6):
                receiver.exchange.write(b"x" * 16_384)
                receiver.exchange.flush()
            await until(lambda: receiver.paused == [True])
            assert receiver.exchange.paused
            other = client.begin("/other")
            answer_ok((await application.next(2)).exchange)
            assert (await client.answer(other)).body == b"ok"
            await client.until(lambda: len(client.answers[slow].body) == 30_000)
            client.h2.increment_flow_control_window(200_000, slow)
            client.h2.increment_flow_control_window(200_000)
            client.flush()
            await until(lambda: receiver.paused == [True, False])
            receiver.exchange.end()
            assert len((await client.answer(slow)).body) == 6 * 16_384

    run(main)


def test_a_body_that_is_not_taken_stops_at_its_window_and_others_go_on() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            held = client.begin("/held", "POST", end=False)
            receiver = await application.next()
            receiver.exchange.pause_body(True)
            await client.until(lambda: client.h2.local_flow_control_window(held) == limits.H2_STREAM_WINDOW_BYTES)
            client.send(held, b"x" * limits.H2_STREAM_WINDOW_BYTES)
            await until(lambda: len(receiver.body) == limits.H2_STREAM_WINDOW_BYTES)
            assert client.h2.local_flow_control_window(held) == 0
            other = client.begin("/other", "POST", end=False)
            second = await application.next(2)
            for _ in range(40):  # ten windows, as fast as they are taken
                await client.until(lambda: client.h2.local_flow_control_window(other) >= 65_536)
                client.send(other, b"y" * 65_536)
            await until(lambda: len(second.body) == 40 * 65_536)
            receiver.exchange.pause_body(False)
            await client.until(lambda: client.h2.local_flow_control_window(held) == limits.H2_STREAM_WINDOW_BYTES)

    run(main)


def test_streams_that_are_reset_give_their_share_of_the_window_back() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            whole = limits.H2_CONNECTION_WINDOW_BYTES
            for number in range(1, 2 * whole // limits.H2_STREAM_WINDOW_BYTES):
                stream = client.begin("/", "POST", end=False)
                receiver = await application.next(number)
                receiver.exchange.pause_body(True)
                await client.until(lambda: client.h2.local_flow_control_window(stream) > 200_000)  # noqa: B023
                client.send(stream, b"x" * 200_000)
                await until(lambda: len(receiver.body) == 200_000)  # noqa: B023
                client.reset(stream)

    run(main)


def test_an_answer_before_the_end_of_its_request_is_sent_whole_then_the_rest_is_declined() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application, body_rate_window_s=0.2)) as port, asking(port) as client:
            stream = client.begin("/", "POST", end=False)
            exchange = (await application.next()).exchange
            exchange.send_whole(403, (b"HTTP/1.1 403 X\r\n",), 60_000, [b"x" * 60_000])
            exchange.end()
            answer = await client.answer(stream)
            await client.until(lambda: answer.reset is not None)
            assert (answer.status, len(answer.body), answer.ended, answer.reset) == (403, 60_000, True, 0)

    run(main)


@pytest.mark.parametrize("promised", [True, False])
def test_a_body_that_is_too_large_is_413_on_its_stream_alone(promised: bool) -> None:
    refused: list[str] = []

    async def main() -> None:
        application = Application()
        shared = context(application, body_bytes_max=1_000, refused=refused.append)
        async with served_by(shared) as port, asking(port) as client:
            more = [(b"content-length", b"1001")] if promised else []
            stream = client.begin("/", "POST", *more, end=False)
            if not promised:
                receiver = await application.next()
                client.send(stream, b"x" * 1_001, end=True)
            answer = await client.answer(stream)
            assert (answer.status, answer.headers[b"content-type"]) == (413, b"application/problem+json")
            assert refused == ["body_too_large"]
            if not promised:
                assert receiver.aborted == "body_too_large"
            assert not client.closed
            client.begin()
            await application.next(1 if promised else 2)

    run(main)


def test_bad_heads_are_400_or_a_reset_and_reach_nobody() -> None:
    refused: list[str] = []

    async def main() -> None:
        application = Application()
        async with served_by(context(application, refused=refused.append)) as port, asking(port) as client:
            client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
            mismatched = await client.ask("/", "GET", (b"host", b"b"))
            assert (mismatched.status, b"malformed_request" in mismatched.body) == (400, True)
            assert (await client.ask("/", "HEAD", (b"host", b"b"))).body == b""
            assert (await client.ask("/", "GET", (b"X-Upper", b"1"))).reset == 1
            assert (await client.ask("/", "GET", (b"connection", b"close"))).reset == 1
            assert (await client.ask("/", "GET", (b"x", b"a\r\nb: c"))).reset == 1
            assert (await client.ask("/", "G ET")).reset == 1
            assert not application.seen
            assert refused == ["malformed_request"] * 6

    run(main)


def test_a_body_that_belies_its_length_is_reset_and_its_receiver_told() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            stream = client.begin("/", "POST", (b"content-length", b"5"), end=False)
            receiver = await application.next()
            client.send(stream, b"abc", end=True)
            assert (await client.answer(stream)).reset == 1
            assert receiver.aborted == "malformed_request"

    run(main)


def test_an_idle_connection_is_closed_with_goaway() -> None:
    async def main() -> None:
        async with served_by(context(answer_ok, idle_timeout_s=0.1)) as port, asking(port) as client:
            await client.ask()
            await client.until(lambda: client.closed)
            assert client.goaway == 0

    run(main)


def test_a_body_that_drips_is_refused_and_a_receiver_that_pauses_is_waited_for() -> None:
    async def main() -> None:
        application = Application()
        shared = context(application, body_bytes_per_s_min=1_000, body_rate_window_s=0.2, idle_timeout_s=5)
        async with served_by(shared) as port, asking(port) as client:
            paused = client.begin("/", "POST", end=False)
            first = await application.next()
            first.exchange.pause_body(True)
            slow = client.begin("/", "POST", end=False)
            second = await application.next(2)
            client.send(slow, b"x")
            answer = await client.answer(slow)
            assert (answer.status, second.aborted) == (408, "request_timeout")
            assert (client.answers[paused].status, first.aborted) == (0, "")

    run(main)


def test_an_answer_that_is_not_taken_is_reset_in_the_end() -> None:
    async def main() -> None:
        application = Application()
        shared = context(application, idle_timeout_s=0.3)
        async with served_by(shared) as port, asking(port, takes=False, window=0) as client:
            stream = client.begin()
            receiver = await application.next()
            receiver.exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", None)
            receiver.exchange.write(b"x" * 100)
            receiver.exchange.flush()
            assert (await client.answer(stream)).reset == 8
            assert receiver.aborted == "client_closed"

    run(main)


def test_draining_says_goaway_serves_what_is_under_way_and_closes() -> None:
    async def main() -> None:
        application = Application()
        shared = context(application)
        async with served_by(shared) as port, asking(port) as client:
            stream = client.begin("/first")
            receiver = await application.next()
            closing = asyncio.ensure_future(shared.close(5.0))
            await client.until(lambda: client.goaways == [2**31 - 1])
            await client.until(lambda: client.goaways == [2**31 - 1, stream], timeout_s=3.0)
            assert not client.closed
            answer_ok(receiver.exchange)
            assert (await client.answer(stream)).body == b"ok"
            await client.until(lambda: client.closed)
            await closing

    run(main)


def test_the_last_request_of_a_connection_closes_it() -> None:
    async def main() -> None:
        shared = context(answer_ok, requests_per_connection_max=2)
        async with served_by(shared) as port, asking(port) as client:
            assert (await client.ask()).body == b"ok"
            assert (await client.ask()).body == b"ok"
            await client.until(lambda: client.closed)
            assert client.goaway == 0

    run(main)


def test_connections_count_as_one_over_their_change_of_protocol() -> None:
    async def main() -> None:
        shared = context(answer_ok, connections_per_address_max=1)
        async with served_by(shared) as port:
            async with asking(port) as client:
                await client.ask()
                assert len(shared.connections) == 1
                assert statuses(await talk(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")) == [503]
            await until(lambda: not shared.connections)
            assert not shared.addresses
            async with asking(port) as client:
                assert (await client.ask()).body == b"ok"

    run(main)


def test_alpn_chooses_http_2_where_both_have_it(tmp_path: Path) -> None:
    certificates = ServerCertificates([make(tmp_path, "a", "a.example")], alpn=(HTTP2, HTTP1))

    async def main() -> None:
        shared = context(answer_ok)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _first(shared), "127.0.0.1", 0, ssl=certificates.context)
        port = server.sockets[0].getsockname()[1]
        async with asking(port, tls=client_context(verify=False, alpn=(HTTP2,))) as client:
            chosen = client._writer.get_extra_info("ssl_object").selected_alpn_protocol()
            assert (chosen, (await client.ask()).body) == ("h2", b"ok")
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context(verify=False))
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert statuses(await reader.readuntil(b"\r\n\r\n")) == [200]
        writer.close()
        server.close()
        await shared.close(0)
        shared.deadlines.stop()

    run(main)


def _first(shared: Any) -> Any:
    from foregate.http1.server import ServerConnection

    return ServerConnection(shared)


class Tunnelled:
    """The other end of a tunnel: an echo."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange, self.ended, self.aborted = exchange, False, ""
        self.paused: list[bool] = []

    def tunnel_data(self, data: bytes) -> None:
        self.exchange.write(data)
        self.exchange.flush()

    def tunnel_eof(self) -> None:
        self.ended = True
        self.exchange.end()

    def tunnel_paused(self, paused: bool) -> None:
        self.paused.append(paused)

    def request_aborted(self, code: str) -> None:
        self.aborted = code


async def _connect(client: Asking) -> int:
    await client.until(lambda: client.h2.remote_settings.enable_connect_protocol == 1)
    return client.begin("/ws", "CONNECT", (b":protocol", b"websocket"), end=False)


def test_an_extended_connect_becomes_a_tunnel_both_ways() -> None:
    tunnels: list[Tunnelled] = []

    def application(exchange: Exchange) -> None:
        assert (exchange.method, exchange.upgrade, exchange.complete) == (b"GET", b"websocket", True)
        tunnels.append(Tunnelled(exchange))
        exchange.begin_tunnel(b"sec-websocket-protocol: chat\r\n", tunnels[0])

    async def main() -> None:
        async with served_by(context(application)) as port, asking(port) as client:
            client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
            stream = await _connect(client)
            answer = client.answers[stream]
            await client.until(lambda: answer.status == 200)
            assert answer.headers == {b":status": b"200", b"sec-websocket-protocol": b"chat"}
            client.send(stream, b"hello")
            await client.until(lambda: answer.body == b"hello")
            client.send(stream, b" again", end=True)
            assert (await client.answer(stream)).body == b"hello again"
            assert (tunnels[0].ended, tunnels[0].aborted) == (True, "")

    run(main)


def test_what_comes_before_the_tunnel_is_there_waits_for_it() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
            stream = await _connect(client)
            client.send(stream, b"early")
            exchange = (await application.next()).exchange
            await asyncio.sleep(0.02)
            assert application.seen[0].body == b""
            exchange.begin_tunnel(b"", Tunnelled(exchange))
            await client.until(lambda: client.answers[stream].body == b"early")
            client.reset(stream)

    run(main)


@pytest.mark.skipif(shutil.which("curl") is None, reason="CURL IS NOT TESTED: there is none on this machine")
def test_curl_is_served() -> None:
    async def main() -> tuple[int | None, bytes]:
        async with served_by(context(answer_ok)) as port:
            asked = "curl", "-s", "-i", "--http2-prior-knowledge", "-d", "abc", f"http://127.0.0.1:{port}/"
            process = await asyncio.create_subprocess_exec(*asked, stdout=subprocess.PIPE)
            out, _ = await process.communicate()
            return process.returncode, out

    code, out = run(main)
    assert code == 0
    assert out.startswith(b"HTTP/2 200")
    assert out.endswith(b"ok")


def test_an_application_that_fails_costs_its_connection_alone() -> None:
    def application(exchange: Exchange) -> None:
        if exchange.target == b"/bad":
            raise RuntimeError("a mistake of ours")
        answer_ok(exchange)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, what: None)
        async with served_by(context(application)) as port, asking(port) as client, asking(port) as other:
            client.begin("/bad")
            await client.until(lambda: client.closed)
            assert (await other.ask()).body == b"ok"

    with contextlib.suppress(RuntimeError):
        run(main)


def test_half_a_head_on_an_idle_connection_gains_no_time() -> None:
    async def main() -> None:
        async with served_by(context(answer_ok, idle_timeout_s=0.2)) as port, asking(port) as client:
            await client.ask()
            client.raw(frame(HEADERS, 0, 99, b"\x82\x87"))
            await client.until(lambda: client.closed)

    run(main)
