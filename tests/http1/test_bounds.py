"""Bounds on connections and on slow clients, over real sockets."""

import asyncio
import time

from tests.http1.world import answer_ok, context, run, served_by, statuses, talk

from foregate.http1.exchange import Exchange
from foregate.kernel import limits

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Uploading:
    """Answers once the whole body is there."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.codes: list[str] = []
        exchange.receiver = self

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        if complete:
            answer_ok(self.exchange)

    def request_aborted(self, code: str) -> None:
        self.codes.append(code)

    def response_paused(self, paused: bool) -> None: ...


async def connected(port: int, count: int) -> list[Streams]:
    """Connections that have been served once, so the server surely knows them."""
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    for reader, writer in streams:
        writer.write(GET)
        await reader.readuntil(b"ok")
    return streams


def test_a_connection_beyond_the_bound_is_told_503_counted_and_closed_and_the_others_are_served() -> None:
    refused: list[str] = []

    async def main() -> tuple[bytes, bytes, bytes]:
        shared = context(answer_ok, connections_max=2)
        shared.refused = refused.append
        async with served_by(shared) as port:
            streams = await connected(port, 2)
            silent = await talk(port)
            eager = await talk(port, GET)
            streams[0][1].close()
            while len(shared.connections) > 1:
                await asyncio.sleep(0.01)
            after = await talk(port, LAST)
            streams[1][1].write(LAST)
            assert statuses(await streams[1][0].read()) == [200]
            streams[1][1].close()
        return silent, eager, after

    silent, eager, after = run(main)
    assert statuses(silent) == statuses(eager) == [503]
    assert b'"code": "overloaded"' in eager
    assert b"connection: close" in eager
    assert statuses(after) == [200]
    assert refused == ["overloaded"] * 2


def test_of_a_flood_beyond_the_bound_only_so_many_are_told_and_all_are_closed() -> None:
    async def main() -> tuple[int, int]:
        refused: list[str] = []
        shared = context(answer_ok, connections_max=1)
        shared.refused = refused.append
        async with served_by(shared) as port:
            first = await connected(port, 1)
            flood = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
            while len(refused) < len(flood):
                await asyncio.sleep(0.01)
            told = len(shared.turned_away)
            for _, writer in [*first, *flood]:
                writer.close()
            while shared.turned_away or shared.connections:
                await asyncio.sleep(0.01)
        return told, len(refused)

    assert run(main) == (limits.TURNED_AWAY_CONNECTIONS_MAX, 300)


def test_one_address_may_hold_only_so_many_connections() -> None:
    async def main() -> tuple[bytes, bytes, dict[str, int]]:
        shared = context(answer_ok, connections_per_address_max=2)
        async with served_by(shared) as port:
            streams = await connected(port, 2)
            third = await talk(port, GET)
            for _, writer in streams:
                writer.close()
            while shared.connections:
                await asyncio.sleep(0.01)
            return third, await talk(port, LAST), dict(shared.addresses)

    third, after, left = run(main)
    assert statuses(third) == [503]
    assert statuses(after) == [200]
    assert left == {}


def test_the_last_request_of_a_connection_says_close() -> None:
    async def main() -> bytes:
        async with served_by(context(answer_ok, requests_per_connection_max=3)) as port:
            return await talk(port, GET * 5)

    answer = run(main)
    assert statuses(answer) == [200, 200, 200]
    assert answer.count(b"connection: close") == 1
    assert answer.rpartition(b"HTTP/1.1")[2].count(b"connection: close") == 1


def test_closing_never_waits_for_a_connection_that_does_not_go() -> None:
    class Stuck:
        def drain(self) -> None: ...

        def close_if_idle(self) -> None: ...

        def break_off(self) -> None: ...

    async def main() -> float:
        shared = context(answer_ok)
        shared.connections.add(Stuck())  # type: ignore[arg-type]
        begun_s = time.monotonic()
        await shared.close(0.1)
        return time.monotonic() - begun_s

    assert run(main) < limits.BREAK_OFF_S + 5


def upload(bytes_per_piece: int, pieces: int, **settings: float) -> tuple[bytes, list[Uploading]]:
    """Send a body at `bytes_per_piece` per 50 ms; the server measures over 0.4 s."""
    uploads: list[Uploading] = []
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (bytes_per_piece * pieces)

    async def main() -> bytes:
        shared = context(lambda exchange: uploads.append(Uploading(exchange)), body_rate_window_s=0.4, **settings)
        async with served_by(shared) as port:
            return await talk(port, head, *[b"x" * bytes_per_piece] * pieces, pause_s=0.05)

    return run(main), uploads


def test_a_body_that_drips_is_refused_with_408_though_it_never_stands_still() -> None:
    answer, uploads = upload(1, 40, body_bytes_per_s_min=1_000)
    assert statuses(answer) == [408]
    assert uploads[0].codes == ["request_timeout"]


def test_a_slow_body_above_the_minimum_is_taken_over_several_windows() -> None:
    answer, uploads = upload(500, 30, body_bytes_per_s_min=1_000)
    assert statuses(answer) == [200]
    assert uploads[0].codes == []


def test_the_minimum_rate_can_be_switched_off() -> None:
    assert statuses(upload(1, 20, body_bytes_per_s_min=0)[0]) == [200]


def test_time_in_which_we_do_not_read_is_not_the_clients() -> None:
    async def main() -> bytes:
        held: list[Uploading] = []

        def hold(exchange: Exchange) -> None:
            held.append(Uploading(exchange))
            exchange.pause_body(True)

        async with served_by(context(hold, body_rate_window_s=0.2, body_bytes_per_s_min=1_000)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\n")
            await asyncio.sleep(0.8)
            writer.write(b"abc")
            held[0].exchange.pause_body(False)
            answer = await reader.read()
            writer.close()
            return answer

    assert statuses(run(main)) == [200]


def test_after_an_early_answer_has_begun_the_rest_of_the_body_may_take_its_time() -> None:
    async def main() -> bytes:
        begun: list[Exchange] = []

        def early(exchange: Exchange) -> None:
            begun.append(exchange)
            Uploading(exchange)
            exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", None)
            exchange.flush()

        async with served_by(context(early, body_rate_window_s=0.2, body_bytes_per_s_min=1_000)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.6)
            begun[0].write(b"late")
            begun[0].end()
            begun[0].flush()
            rest = await reader.read()
            writer.close()
            return head + rest

    assert run(main).endswith(b"4\r\nlate\r\n0\r\n\r\n")


def test_a_client_that_waits_to_continue_may_be_refused_before_its_body() -> None:
    async def main() -> bytes:
        async with served_by(context(answer_ok)) as port:
            return await talk(port, b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")

    answer = run(main)
    assert statuses(answer) == [200]
    assert b"connection: close" in answer


def test_requests_after_an_answer_that_closes_are_not_served() -> None:
    async def main() -> tuple[bytes, int]:
        served: list[Exchange] = []

        def answer(exchange: Exchange) -> None:
            served.append(exchange)
            answer_ok(exchange)

        async with served_by(context(answer)) as port:
            return await talk(port, GET + LAST + GET), len(served)

    answer, served = run(main)
    assert statuses(answer) == [200, 200]
    assert served == 2
