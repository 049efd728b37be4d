"""Services that speak HTTP/2: what travels, and that retries, bounds and reloads work as with HTTP/1.1."""

import asyncio
import contextlib

import pytest
from tests.gateway.upstream.asking import ask, h2c
from tests.gateway.upstream.making import until
from tests.gateway.world import FAST_RETRY, gateway, run
from tests.http2.upstream import Asked, h2_upstream

MIB = 1 << 20


def test_a_request_travels_as_http2_and_its_answer_comes_back() -> None:
    async def main() -> None:
        async with h2_upstream() as (served, port), gateway([h2c(port)]) as world:
            assert await ask(world, "/a?b=c", "POST", b"hello", x_own="1", te="trailers", cookie="a=b") == (
                200,
                b"hello",
            )
            fields = served.requests[0].fields
            assert list(fields)[:4] == [":method", ":scheme", ":authority", ":path"]
            assert (fields[":method"], fields[":scheme"], fields[":path"]) == ("POST", "http", "/a?b=c")
            assert fields[":authority"] == f"127.0.0.1:{port}"
            assert (fields["x-own"], fields["te"], fields["cookie"]) == ("1", "trailers", "a=b")
            assert fields["content-length"] == "5"
            assert not {"host", "connection", "transfer-encoding"} & set(fields)
            assert world.event.status == 200
            assert not served.complaints

    run(main)


def test_many_requests_share_one_connection() -> None:
    async def slowly(asked: Asked) -> None:
        await asyncio.sleep(0.05)
        asked.head(200, end=True)

    async def main() -> None:
        async with h2_upstream(slowly) as (served, port), gateway([h2c(port)]) as world:
            found = await asyncio.gather(*(ask(world, f"/{n}") for n in range(50)))
            assert [status for status, _ in found] == [200] * 50
            assert len(served.connections) == 1
            assert served.most > 10

    run(main)


@pytest.mark.parametrize(("theirs", "ours"), [(4, 100), (100, 4)])
def test_a_connection_carries_no_more_than_both_sides_allow(theirs: int, ours: int) -> None:
    async def slowly(asked: Asked) -> None:
        await asyncio.sleep(0.1)
        asked.head(200, end=True)

    async def main() -> None:
        async with (
            h2_upstream(slowly, streams_max=theirs) as (served, port),
            gateway([h2c(port, streams_max=ours)]) as world,
        ):
            assert (await ask(world))[0] == 200  # its SETTINGS are known from here on
            found = await asyncio.gather(*(ask(world, f"/{n}") for n in range(12)))
            assert [status for status, _ in found] == [200] * 12
            assert served.most <= 4
            assert len(served.connections) == 3

    run(main)


def test_beyond_the_bound_of_connections_a_request_is_overloaded() -> None:
    async def never(asked: Asked) -> None:
        await asked.reset.wait()

    async def main() -> None:
        async with (
            h2_upstream(never) as (served, port),
            gateway([h2c(port, streams_max=1, connections_max=1, timeout_s=0.5)]) as world,
        ):
            found = await asyncio.gather(ask(world, "/1"), ask(world, "/2"))
            assert sorted(status for status, _ in found) == [503, 504]
            assert {event.error for event in world.sink.events} == {"overloaded", "upstream_timeout"}
            await until(lambda: served.resets == 1)
            assert (await ask(world, "/3"))[0] == 504  # the place is free again, on the same connection
            assert len(served.connections) == 1

    run(main)


def test_trailers_travel_both_ways() -> None:
    async def answer(asked: Asked) -> None:
        await asked.body()
        asked.head(200, ("content-type", "text/plain"))
        await asked.data(dict(asked.trailers).get("x-sum", "none").encode())
        asked.finish(("x-checksum", "abc"), ("set-cookie", "no=1"))

    async def main() -> None:
        async with h2_upstream(answer) as (_, port), gateway([h2c(port)]) as world:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n"
            )
            await asyncio.sleep(0.05)
            writer.write(b"0\r\nX-Sum: 42\r\n\r\n")
            raw = await reader.read()
            assert raw.endswith(b"2\r\n42\r\n0\r\nx-checksum: abc\r\n\r\n")
            writer.close()

    run(main)


def test_most_of_a_connections_streams_may_be_slow_and_the_others_go_on() -> None:
    async def answer(asked: Asked) -> None:
        asked.head(200)
        await asked.data(bytes(100_000 if asked.fields[":path"] == "/small" else 16 * MIB), end=True)

    async def main() -> None:
        async with h2_upstream(answer) as (served, port), gateway([h2c(port, streams_max=4)]) as world:
            slow = [await asyncio.open_connection("127.0.0.1", world.port, limit=1_024) for _ in range(3)]
            for _, writer in slow:
                writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda: len(served.requests) == 3)
            await asyncio.sleep(0.3)
            for _ in range(20):  # 2 MB, which is more than all the windows of the connection
                assert await asyncio.wait_for(ask(world, "/small"), 5.0) == (200, bytes(100_000))
            assert len(served.connections) == 1
            for _, writer in slow:
                writer.transport.abort()

    run(main)


def test_white_space_behind_a_trailer_breaks_nobodys_connection() -> None:
    """In HTTP/1.1 it may stand there; a strict upstream of HTTP/2 would end the connection of all who share it."""

    async def main() -> None:
        async with h2_upstream() as (served, port), gateway([h2c(port)]) as world:
            for pause_s in (0.0, 0.05):
                reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
                writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
                await asyncio.sleep(pause_s)
                writer.write(b"2\r\nok\r\n0\r\nX-Sum: 42 \t\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
                writer.close()
            assert [asked.trailers for asked in served.requests] == [[("x-sum", "42")]] * 2
            assert (served.complaints, len(served.connections)) == ([], 1)

    run(main)


def test_a_chunked_body_that_came_at_once_travels_unframed() -> None:
    async def main() -> None:
        async with h2_upstream() as (served, port), gateway([h2c(port)]) as world:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"
            )
            assert b"abcde" in await reader.read()
            assert served.requests[0].trailers == [("x-sum", "1")]
            writer.close()

    run(main)


def test_a_large_body_goes_and_comes_within_the_windows() -> None:
    async def main() -> None:
        async with h2_upstream() as (served, port), gateway([h2c(port)]) as world:
            body = bytes(range(256)) * (8 * MIB // 256)
            status, back = await ask(world, "/", "POST", body)
            assert (status, back == body) == (200, True)
            assert not served.complaints

    run(main)


def test_an_upstream_that_takes_no_body_is_not_sent_more_and_then_times_out() -> None:
    async def never(asked: Asked) -> None:
        await asked.reset.wait()

    async def main() -> None:
        async with h2_upstream(never) as (served, port), gateway([h2c(port, timeout_s=0.6)]) as world:
            served.takes = False
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
            sent = 0
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(0.4):
                    while sent < 64 * MIB:
                        writer.write(bytes(65_536))
                        await writer.drain()
                        sent += 65_536
            assert sent < 32 * MIB  # loopback's buffers, ours, and the window of 65,535 bytes
            assert b"HTTP/1.1 504" in await reader.readuntil(b"\r\n\r\n")
            writer.close()

    run(main)


def test_a_client_that_reads_slowly_keeps_no_other_waiting() -> None:
    async def answer(asked: Asked) -> None:
        asked.head(200)
        if asked.fields[":path"] == "/big":
            await asked.data(bytes(64 * MIB), end=True)
        else:
            await asked.data(b"quick", end=True)

    async def main() -> None:
        async with h2_upstream(answer) as (served, port), gateway([h2c(port)]) as world:
            slow = [await asyncio.open_connection("127.0.0.1", world.port, limit=1_024) for _ in range(4)]
            for _, writer in slow:
                writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0.3)
            for _ in range(20):
                assert await ask(world, "/quick") == (200, b"quick")
            assert len(served.connections) == 1
            assert all(asked.sent < 32 * MIB for asked in served.requests)  # loopback's buffers, and a window
            for _, writer in slow:
                writer.transport.abort()
            await until(lambda: served.resets == 4)  # who left is nobody's work any more

    run(main)


def test_what_the_upstream_has_not_looked_at_is_sent_again_even_when_it_may_not_be_repeated() -> None:
    turns: list[str] = []

    async def answer(asked: Asked) -> None:
        turns.append(asked.fields[":path"])
        if len(turns) == 2:
            asked.connection.goaway(asked.stream_id - 2)
            return
        if len(turns) == 4:
            asked.refuse(0x07)
            return
        body = await asked.body()
        asked.head(200)
        await asked.data(body, end=True)

    async def main() -> None:
        async with h2_upstream(answer) as (served, port), gateway([h2c(port)]) as world:
            for number in range(3):
                assert await ask(world, f"/{number}", "POST", b"x%d" % number) == (200, b"x%d" % number)
            assert turns == ["/0", "/1", "/1", "/2", "/2"]
            assert len(served.connections) == 2
            assert all(event.attempts == 1 and not event.error for event in world.sink.events)

    run(main)


def test_who_refuses_everything_is_not_asked_for_ever() -> None:
    async def refuse(asked: Asked) -> None:
        asked.refuse(0x07)

    async def main() -> None:
        async with h2_upstream(refuse) as (served, port), gateway([h2c(port)]) as world:
            assert (await ask(world, "/", "POST", b"x"))[0] == 502
            assert len(served.requests) == 2
            assert world.event.error == "upstream_closed"

    run(main)


def test_goaway_lets_what_is_under_way_end_and_new_requests_go_elsewhere() -> None:
    go = asyncio.Event()

    async def answer(asked: Asked) -> None:
        if asked.fields[":path"] == "/slow":
            asked.connection.goaway(asked.stream_id)
            await go.wait()
        asked.head(200)
        await asked.data(asked.fields[":path"].encode(), end=True)

    async def main() -> None:
        async with h2_upstream(answer) as (served, port), gateway([h2c(port)]) as world:
            slow = asyncio.ensure_future(ask(world, "/slow"))
            await until(lambda: len(served.requests) == 1)
            await asyncio.sleep(0.05)
            assert await ask(world, "/new") == (200, b"/new")
            assert len(served.connections) == 2
            go.set()
            assert await slow == (200, b"/slow")
            await until(lambda: served.lost == 1)

    run(main)


@pytest.mark.parametrize(("code", "error"), [(0x02, "upstream_closed"), (0x0B, "upstream_closed")])
def test_a_reset_stream_is_that_requests_failure_alone(code: int, error: str) -> None:
    async def answer(asked: Asked) -> None:
        if asked.fields[":path"] == "/bad":
            asked.refuse(code)
        elif asked.fields[":path"] == "/late":
            asked.head(200)
            await asked.data(b"begun")
            await asyncio.sleep(0.05)
            asked.refuse(code)
        else:
            asked.head(204, end=True)

    async def main() -> None:
        async with h2_upstream(answer) as (served, port), gateway([h2c(port)]) as world:
            assert (await ask(world, "/bad", "POST", b"x"))[0] == 502
            assert (await ask(world, "/good"))[0] == 204
            with pytest.raises(Exception, match="upstream_truncated"):
                await ask(world, "/late")
            assert [event.error for event in world.sink.events] == [error, "", "upstream_truncated"]
            assert len(served.connections) == 1

    run(main)


def test_an_answer_that_is_none_is_malformed() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await reader.read()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with gateway([h2c(server.sockets[0].getsockname()[1])]) as world:
            assert (await ask(world))[0] == 502
            assert world.event.error == "upstream_malformed"
        server.close()

    run(main)


def test_retries_and_time_limits_hold_for_streams() -> None:
    turns: list[int] = []

    async def answer(asked: Asked) -> None:
        turns.append(asked.stream_id)
        if len(turns) == 1:
            asked.head(503, end=True)
        elif len(turns) == 2:
            await asked.reset.wait()
        else:
            asked.head(200, end=True)

    async def main() -> None:
        async with (
            h2_upstream(answer) as (served, port),
            gateway([h2c(port, retry=FAST_RETRY, timeout_s=0.2)]) as world,
        ):
            assert (await ask(world))[0] == 200
            assert world.event.attempts == 3
            assert served.resets == 1
            assert len(served.connections) == 1

    run(main)


def test_head_no_content_and_early_answers_are_passed_on() -> None:
    async def answer(asked: Asked) -> None:
        if asked.fields[":method"] == "HEAD":
            asked.head(200, ("content-length", "5"), end=True)
        else:
            asked.head(413, ("content-length", "2"))
            await asked.data(b"no", end=True)

    async def main() -> None:
        async with h2_upstream(answer) as (served, port), gateway([h2c(port)]) as world:
            response = await world.client.request("HEAD", world.url())
            assert (response.status, response.header("content-length")) == (200, "5")
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbegun")
            raw = await asyncio.wait_for(reader.read(), 5)
            assert raw.startswith(b"HTTP/1.1 413")
            assert raw.endswith(b"no")
            writer.close()
            await until(lambda: served.resets == 1)

    run(main)
