"""The PROXY header: who is spoken for is the client, and what is no header is nobody."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.upstream.making import until
from tests.http1.certificates import make
from tests.http1.world import context, run

from foregate.http1.accept import Acceptor
from foregate.http1.exchange import Exchange
from foregate.http1.proxy_protocol import BadIntroduction, Introduction, parse
from foregate.http1.tls import ServerCertificates, client_context

LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TCP4 = b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 443\r\n"


def v2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + len(body).to_bytes(2) + body


def v2_tcp4(source: str, more: bytes = b"") -> bytes:
    addresses = IPv4Address(source).packed + IPv4Address("10.0.0.1").packed + b"\x13\x88\x01\xbb"
    return v2(0x21, 0x11, addresses + more)


def v2_tcp6(source: str) -> bytes:
    return v2(0x21, 0x21, IPv6Address(source).packed + IPv6Address("::1").packed + b"\x13\x88\x01\xbb")


@pytest.mark.parametrize(
    ("header", "source"),
    [
        (TCP4, "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 5000 443\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ffff:f... whatever stands here\r\n", ""),
        (v2_tcp4("192.0.2.8"), "192.0.2.8"),
        (v2_tcp4("192.0.2.8", b"\x03\x00\x04abcd"), "192.0.2.8"),  # with a TLV
        (v2_tcp6("2001:db8::8"), "2001:db8::8"),
        (v2(0x20, 0x11, b""), ""),  # LOCAL
        (v2(0x21, 0x00, b""), ""),  # PROXY of nobody
        (v2(0x21, 0x31, bytes(216)), ""),  # a Unix socket
    ],
)
def test_a_header_says_whom_it_speaks_for(header: bytes, source: str) -> None:
    assert parse(header + b"GET / HTTP/1.1\r\n") == Introduction(len(header), source)
    for cut in range(len(header)):
        assert parse(header[:cut]) is None, cut


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00",  # TLS
        b"PROXY TCP4 192.0.2.7 10.0.0.1 5000\r\n",
        b"PROXY TCP4 192.0.2.7  10.0.0.1 5000 443\r\n",
        b"PROXY TCP4 2001:db8::7 ::1 5000 443\r\n",
        b"PROXY TCP6 192.0.2.7 10.0.0.1 5000 443\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 5000 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 05000 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n",
        b"PROXY TCP4 192.0.2.256 10.0.0.1 5000 443\r\n",
        b"PROXY UDP4 192.0.2.7 10.0.0.1 5000 443\r\n",
        b"PROXY \xc3\xbc\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4 " + b"1" * 107,
        b"proxy tcp4 192.0.2.7 10.0.0.1 5000 443\r\n",
        SIGNATURE[:11] + b"x",
        v2(0x22, 0x11, bytes(12)),
        v2(0x11, 0x11, bytes(12)),
        v2(0x21, 0x12, bytes(12)),
        v2(0x21, 0x11, bytes(11)),
        v2(0x21, 0x21, bytes(35)),
        v2(0x21, 0x11, bytes(60_000)),
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(BadIntroduction):
        parse(data)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda tail: SIGNATURE + tail)), st.integers(0, 60)
)
def test_no_bytes_are_read_beyond_the_bounds_or_differently_in_pieces(data: bytes, cut: int) -> None:
    def told(data: bytes) -> Introduction | str | None:
        try:
            return parse(data)
        except BadIntroduction:
            return "bad"

    whole, part = told(data), told(data[:cut])
    if isinstance(whole, Introduction):
        assert 0 < whole.length <= len(data)
    if part is not None:  # what is decided stays, whatever comes after
        assert part == whole


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.ip_addresses(), st.binary(max_size=100))
def test_every_address_comes_out_as_it_went_in(address: IPv4Address | IPv6Address, rest: bytes) -> None:
    source = str(address)
    one = f"PROXY TCP{address.version} {source} {source} 1 65535\r\n".encode()
    two = v2_tcp4(source) if address.version == 4 else v2_tcp6(source)
    for header in (one, two):
        assert parse(header + rest) == Introduction(len(header), source)


# --- on a socket ---------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def listening(
    refused: list[str],
    *,
    tls: Path | None = None,
    trusts: Callable[[str], bool] = lambda peer: peer == "127.0.0.1",
    timeout_s: float = 5.0,
) -> AsyncIterator[int]:
    def say(exchange: Exchange) -> None:
        body = exchange.peer.encode()
        exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", len(body))
        exchange.write(body)
        exchange.end()

    shared = context(say, refused=refused.append)
    sock = socket.create_server(("127.0.0.1", 0))
    certificates = ServerCertificates([make(tls, "a", "a.example")]) if tls is not None else None
    acceptor = Acceptor(
        sock,
        shared,
        tls=certificates.context if certificates is not None else None,
        handshake_timeout_s=timeout_s,
        introduces=trusts,
    )
    try:
        yield sock.getsockname()[1]
    finally:
        acceptor.stop()
        await shared.close(0)
        shared.deadlines.stop()


async def ask(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        answer = await reader.read()
        writer.close()
        return answer
    return b""


def test_the_client_is_whom_the_header_names() -> None:
    async def main() -> None:
        refused: list[str] = []
        async with listening(refused) as port:
            for header, peer in (
                (TCP4, b"192.0.2.7"),
                (v2_tcp6("2001:db8::8"), b"2001:db8::8"),
                (v2(0x20, 0, b""), b"127.0.0.1"),
            ):
                assert (await ask(port, header + LAST)).endswith(b"\r\n\r\n" + peer)
                pieces = [header[at : at + 5] for at in range(0, len(header), 5)]
                assert (await ask(port, *pieces, LAST)).endswith(b"\r\n\r\n" + peer)
        assert refused == []

    run(main)


def test_what_is_not_introduced_is_closed_without_a_word_and_counted() -> None:
    async def main() -> None:
        refused: list[str] = []
        async with listening(refused, timeout_s=0.1) as port:
            assert await ask(port, LAST) == b""
            assert await ask(port, TCP4[:10]) == b""  # … and no more
        async with listening(refused, trusts=lambda peer: False) as port:
            assert await ask(port, TCP4 + LAST) == b""
        assert refused == ["proxy_header_invalid", "request_timeout", "forbidden"]

    run(main)


def test_one_who_only_looks_whether_we_are_there_is_not_counted() -> None:
    async def main() -> None:
        refused: list[str] = []
        async with listening(refused) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            assert (await ask(port, TCP4 + LAST)).endswith(b"192.0.2.7")
        assert refused == []

    run(main)


def test_who_has_come_before_the_end_is_served_and_who_says_nothing_delays_it_but_little() -> None:
    def say(exchange: Exchange) -> None:
        body = exchange.peer.encode()
        exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", len(body))
        exchange.write(body)
        exchange.end()

    async def main() -> None:
        shared = context(say)
        sock = socket.create_server(("127.0.0.1", 0))
        acceptor = Acceptor(sock, shared, handshake_timeout_s=60.0, introduces=lambda peer: True)
        silent, early, late = (socket.create_connection(sock.getsockname()) for _ in range(3))
        await until(lambda: len(acceptor._awaited) == 3)
        for each in (early, late):
            each.sendall(TCP4 + LAST)
        queued = socket.create_connection(sock.getsockname())
        queued.sendall(TCP4 + LAST)
        acceptor.stop()
        await acceptor.settled()
        await shared.close(5.0)
        for each in (early, late, queued):
            each.setblocking(False)
            assert each.recv(4_096).endswith(b"192.0.2.7")
        for each in (silent, early, late, queued):
            each.close()
        shared.deadlines.stop()

    run(main)


def test_tls_comes_after_the_header(tmp_path: Path) -> None:
    async def main() -> None:
        refused: list[str] = []
        async with listening(refused, tls=tmp_path) as port:
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(TCP4)
            sock.setblocking(False)
            reader, writer = await asyncio.open_connection(
                sock=sock, ssl=client_context(verify=False), server_hostname="a.example"
            )
            writer.write(LAST)
            assert (await reader.read()).endswith(b"192.0.2.7")
            writer.close()
        assert refused == []

    run(main)
