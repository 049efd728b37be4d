"""What holds for all listeners of a worker together: bounds of connections, draining, running out of descriptors."""

import asyncio
import contextlib
import errno
import socket
from pathlib import Path

from tests.gateway.upstream.making import until
from tests.gateway.world import OPEN, gateway, run, service, statuses, upstream
from tests.http1.certificates import make

from foregate.gateway import layout
from foregate.http1.tls import client_context
from foregate.wire.snapshot import Certificate, ClientBounds, Listener

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Short(socket.socket):
    """A listening socket for which descriptors run out."""

    misses = 0

    def accept(self) -> tuple[socket.socket, object]:
        if self.misses:
            self.misses -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_silent_tls_connections_count_against_the_bound_of_all_listeners(tmp_path: Path) -> None:
    pair = make(tmp_path, "a", "a.example")
    listener = Listener(certificates=(Certificate(pair.certificate, pair.key),))

    async def main() -> None:
        clients = ClientBounds(connections_per_address_max=2)
        async with upstream() as (_, port), gateway([service(port)], [OPEN], clients=clients) as world:
            sock = socket.create_server(("127.0.0.1", 0))
            await world.gateway.serve(sock, listener)
            secure = sock.getsockname()[1]
            silent = [await asyncio.open_connection("127.0.0.1", secure) for _ in range(2)]
            await until(lambda: world.gateway._listening.connections == 2)
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            assert statuses(await reader.read()) == [503]
            writer.close()
            for _, writer in silent:
                writer.close()
            await until(lambda: world.gateway._listening.connections == 0)
            _, writer = await asyncio.open_connection("127.0.0.1", secure, ssl=client_context(verify=False))
            writer.close()

    run(main)


def test_a_request_on_an_idle_connection_is_answered_while_the_worker_drains() -> None:
    async def main() -> None:
        async with upstream() as (_, port), gateway([service(port)], [OPEN]) as world:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(GET)
            assert statuses(await reader.readuntil(b"\r\n\r\n/")) == [200]
            draining = asyncio.ensure_future(world.gateway.drain(10.0))
            await asyncio.sleep(0.2)
            writer.write(GET)
            late = await reader.read()
            assert statuses(late) == [200]
            assert b"connection: close" in late
            await draining
            writer.close()

    run(main)


def test_running_out_of_descriptors_is_counted_and_logged_once_in_a_while() -> None:
    async def main() -> None:
        async with upstream() as (_, port), gateway([service(port)], [OPEN]) as world:
            sock = Short()
            sock.bind(("127.0.0.1", 0))
            sock.misses = 3
            await world.gateway.serve(sock)
            reader, writer = await asyncio.open_connection("127.0.0.1", sock.getsockname()[1])
            writer.write(GET)
            assert statuses(await reader.readuntil(b"\r\n\r\n/")) == [200]
            (worker,) = world.blocks.claim([(layout.WORKER, layout.WORKER_CELLS)])
            assert worker.total(layout.ACCEPT_PAUSES) == 3.0
            assert [what for what, _ in world.log] == ["accepting_paused"]
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    run(main)


def test_who_was_accepted_last_is_answered_though_nobody_else_is_connected() -> None:
    async def main() -> None:
        async with upstream() as (_, port), gateway([service(port)], [OPEN]) as world:
            waiting = [socket.create_connection(("127.0.0.1", world.port)) for _ in range(5)]  # in the kernel's queue
            for each in waiting:
                each.sendall(GET)
            await world.gateway.drain(10.0)
            for each in waiting:
                each.settimeout(10)
                assert each.recv(100).startswith(b"HTTP/1.1 200 OK")
                each.close()

    run(main)
