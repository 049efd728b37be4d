"""Streams as exchanges: over real sockets, asked by another library."""

import pytest
from tests.http1.world import run
from tests.http2.asking import asking, context, served_by
from tests.http2.serving import Application, answer_ok, until

from foregate.http2.exchange import Exchange


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
