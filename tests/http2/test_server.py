"""One HTTP/2 connection: how it begins, whom it counts as, how it ends; over real sockets."""

import asyncio
import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.http1.certificates import make
from tests.http1.world import run, statuses, talk
from tests.http2.asking import GOAWAY, PING, PREFACE, RST_STREAM, SETTINGS, Answer, asking, context, frame, served_by
from tests.http2.serving import Application, answer_ok, until

from foregate.http1.server import ServerConnection
from foregate.http1.tls import HTTP1, HTTP2, ServerCertificates, client_context
from foregate.http2.exchange import Exchange


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


def test_a_client_that_takes_all_back_and_leaves_in_one_breath_is_let_go() -> None:
    broken: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: broken.append(what))
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            stream = client.begin("/", "POST", end=False)
            receiver = await application.next()
            receiver.exchange.pause_body(True)
            client.send(stream, b"never taken")
            await until(lambda: receiver.body)
            client.raw(frame(RST_STREAM, 0, stream, b"\0\0\0\x08") + frame(GOAWAY, 0, 0, b"\0" * 8))
            await client.until(lambda: client.closed)
            assert receiver.aborted == "client_closed"

    run(main)
    assert not broken


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


def test_requests_beyond_the_last_are_left_to_be_asked_again() -> None:
    asked: list[bytes] = []
    refused: list[str] = []

    def application(exchange: Exchange) -> None:
        asked.append(exchange.target)
        answer_ok(exchange)

    async def main() -> None:
        shared = context(application, requests_per_connection_max=2, refused=refused.append)
        async with served_by(shared) as port, asking(port) as client:
            head = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a")]
            for number in range(5):  # all at once
                stream = client.h2.get_next_available_stream_id()
                client.answers[stream] = Answer()
                client.h2.send_headers(stream, [*head, (b":path", b"/%d" % number)], end_stream=True)
            client.flush()
            await client.until(lambda: client.closed)
            assert (asked, client.goaways[0]) == ([b"/0", b"/1"], 3)
            assert [client.answers[stream].status for stream in (1, 3, 5, 7, 9)] == [200, 200, 0, 0, 0]
            assert refused == []

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
        server = await loop.create_server(lambda: ServerConnection(shared), "127.0.0.1", 0, ssl=certificates.context)
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
