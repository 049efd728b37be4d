"""Windows are back-pressure, and nothing waits for ever."""

import asyncio

from tests.http1.world import run
from tests.http2.asking import HEADERS, asking, context, frame, served_by
from tests.http2.serving import Application, answer_ok, until

from foregate.http2.exchange import Exchange
from foregate.http2.server import Http2Connection
from foregate.kernel import limits


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


def test_a_large_answer_that_many_streams_ask_for_and_do_not_take_is_in_memory_once() -> None:
    body = b"x" * 4_000_000
    connections: list[Http2Connection] = []

    def application(exchange: Exchange) -> None:
        connections.append(exchange._connection)
        exchange.send_whole(200, (b"HTTP/1.1 200 OK\r\n",), len(body), [body])
        exchange.end()
        exchange.flush()

    async def main() -> None:
        async with served_by(context(application)) as port, asking(port, takes=False, window=0) as client:
            streams = [client.begin() for _ in range(60)]
            await client.until(lambda: all(answer.status for answer in client.answers.values()))
            copied = connections[0]._engine.queued_body_size()
            assert copied <= limits.H2_CONNECTION_QUEUE_BYTES + 60 * limits.H2_STREAM_QUEUE_BYTES // 2
            client.takes = True
            client.h2.increment_flow_control_window(len(body), streams[7])
            client.h2.increment_flow_control_window(len(body) + 60 * 100_000)
            client.flush()
            assert (await client.answer(streams[7])).body == body

    run(main)


def test_a_writer_that_looks_whether_it_may_go_on_is_told_when_it_may() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            stream = client.begin()
            receiver = await application.next()
            exchange, size, left = receiver.exchange, 0, 3_000_000
            exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", None)
            while size < left:
                before = len(receiver.paused)
                while not exchange.paused:
                    exchange.write(b"x" * 10_000)
                    size += 10_000
                exchange.flush()
                await until(lambda: receiver.paused[before:] == [True, False])  # noqa: B023
            exchange.end()
            assert len((await client.answer(stream)).body) == size

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


def test_a_download_that_goes_on_and_off_puts_off_nobodys_time_limit() -> None:
    async def main() -> None:
        application = Application()
        shared = context(application, body_bytes_per_s_min=1_000, body_rate_window_s=0.2, idle_timeout_s=5)
        async with served_by(shared) as port, asking(port) as client:
            upload = client.begin("/up", "POST", end=False)
            connection = (await application.next()).exchange._connection
            answer = client.answers[upload]
            for _ in range(200):
                connection.pause_writing()  # as the transport does when its buffer is full, and empty again
                connection.resume_writing()
                await asyncio.sleep(0.01)
                if answer.status:
                    break
            assert answer.status == 408

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


def test_half_a_head_on_an_idle_connection_gains_no_time() -> None:
    async def main() -> None:
        async with served_by(context(answer_ok, idle_timeout_s=0.2)) as port, asking(port) as client:
            await client.ask()
            client.raw(frame(HEADERS, 0, 99, b"\x82\x87"))
            await client.until(lambda: client.closed)

    run(main)
