"""Accepting: bounds before TLS, a limit for handshakes, and a pause instead of resets where descriptors run out."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.http1.certificates import make
from tests.http1.world import answer_ok, context, run

from foregate.http1.accept import Acceptor
from foregate.http1.server import ServerContext
from foregate.http1.tls import ServerCertificates, client_context
from foregate.kernel import limits

LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(15.0):
        while not holds():
            await asyncio.sleep(0.01)


class Short(socket.socket):
    """A listening socket for which descriptors run out."""

    misses = 0

    def accept(self) -> tuple[socket.socket, object]:
        if self.misses:
            self.misses -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def bound() -> Short:
    sock = Short()
    sock.bind(("127.0.0.1", 0))
    return sock


@contextlib.asynccontextmanager
async def secure(folder: Path, shared: ServerContext, handshake_timeout_s: float = 20.0) -> AsyncIterator[int]:
    sock = bound()
    tls = ServerCertificates([make(folder, "a", "a.example")]).context
    acceptor = Acceptor(sock, shared, tls=tls, handshake_timeout_s=handshake_timeout_s)
    try:
        yield sock.getsockname()[1]
    finally:
        acceptor.stop()
        await shared.close(0)
        shared.deadlines.stop()


async def fetch(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context(verify=False))
    writer.write(LAST)
    answer = await reader.read()
    writer.close()
    return answer


def test_silent_tls_connections_are_counted_and_bounded_before_their_handshake(tmp_path: Path) -> None:
    refused: list[str] = []

    async def main() -> None:
        shared = context(answer_ok, connections_max=50, connections_per_address_max=3, refused=refused.append)
        async with secure(tmp_path, shared) as port:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
            await until(lambda: len(refused) == 2)
            assert (len(shared.connections), len(shared.handshakes)) == (3, 3)
            for _, writer in silent:
                writer.close()
            await until(lambda: not shared.connections)
            assert (shared.addresses, shared.handshakes) == ({}, {})
            assert (await fetch(port)).startswith(b"HTTP/1.1 200 OK")
        assert refused == ["overloaded", "overloaded"]

    run(main)


def test_a_handshake_that_takes_too_long_is_cut_off_and_counted(tmp_path: Path) -> None:
    refused: list[str] = []

    async def main() -> None:
        shared = context(answer_ok, refused=refused.append)
        async with secure(tmp_path, shared, handshake_timeout_s=0.2) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await asyncio.wait_for(reader.read(), 10.0) == b""
            await until(lambda: not shared.connections)
            assert refused == ["request_timeout"]
            writer.close()

    run(main)


def test_beyond_the_bound_of_handshakes_the_oldest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TLS_HANDSHAKES_MAX", 2)
    refused: list[str] = []

    async def main() -> None:
        shared = context(answer_ok, refused=refused.append)
        async with secure(tmp_path, shared) as port:
            oldest, *others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            await until(lambda: len(shared.handshakes) == 2)
            assert (await fetch(port)).startswith(b"HTTP/1.1 200 OK")
            assert await asyncio.wait_for(oldest[0].read(), 10.0) == b""
            assert refused == ["overloaded"]
            assert not others[0][0].at_eof()
            for _, writer in (oldest, *others):
                writer.close()

    run(main)


def test_without_a_descriptor_accepting_pauses_and_nobody_is_reset() -> None:
    pauses: list[str] = []

    async def main() -> None:
        shared, sock = context(answer_ok), bound()
        sock.misses = 3
        acceptor = Acceptor(sock, shared, paused=pauses.append)
        reader, writer = await asyncio.open_connection("127.0.0.1", sock.getsockname()[1])
        writer.write(LAST)
        assert (await asyncio.wait_for(reader.read(), 10.0)).startswith(b"HTTP/1.1 200 OK")
        assert pauses == ["Too many open files"] * 3
        writer.close()
        acceptor.stop()
        await shared.close(0)
        shared.deadlines.stop()

    run(main)


def test_who_waits_in_the_kernels_queue_when_accepting_stops_is_still_answered() -> None:
    async def main() -> None:
        shared, sock = context(answer_ok), bound()
        sock.misses = 1  # so that nobody has taken them when it stops
        acceptor = Acceptor(sock, shared)
        port = sock.getsockname()[1]
        waiting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        await until(lambda: not sock.misses)
        acceptor.stop()
        closing = asyncio.ensure_future(shared.close(10.0))
        for reader, writer in waiting:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"connection: close" in await asyncio.wait_for(reader.read(), 10.0)
            writer.close()
        await closing
        shared.deadlines.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    run(main)


def test_handshakes_never_take_more_than_a_quarter_of_the_connections(tmp_path: Path) -> None:
    async def main() -> None:
        shared = context(answer_ok, connections_max=12)
        async with secure(tmp_path, shared) as port:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
            assert (await fetch(port)).startswith(b"HTTP/1.1 200 OK")
            await until(lambda: len(shared.connections) <= 3)
            for _, writer in silent:
                writer.close()

    run(main)


def test_handshakes_that_are_dropped_before_they_begin_leave_no_place_behind(tmp_path: Path) -> None:
    async def main() -> None:
        shared = context(answer_ok, connections_max=40)
        async with secure(tmp_path, shared) as port:
            for _ in range(8):
                burst = [socket.socket() for _ in range(100)]
                for each in burst:
                    each.setblocking(False)
                    each.connect_ex(("127.0.0.1", port))
                await asyncio.sleep(0.03)
                for each in burst:
                    each.close()
                await asyncio.sleep(0.03)
            await until(lambda: not shared.connections and not shared.handshakes and not shared.addresses)

    run(main)
