"""Connections to a target, on real sockets: TCP, TLS, Unix; bounds; names that lead elsewhere."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.gateway.upstream.making import Held, ask, service, tcp, until
from tests.http1.certificates import make
from tests.http1.world import run

from foregate.gateway.upstream import Pool, TargetState
from foregate.gateway.upstream.addresses import Address
from foregate.http1 import Request, Response, Server
from foregate.http1.tls import BadCertificate, ServerCertificates
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError
from foregate.wire.snapshot import Health, Service, Target, UpstreamTls


@contextlib.asynccontextmanager
async def held(settings: Service, world: Held | None = None) -> AsyncIterator[tuple[Held, TargetState]]:
    """A service's first target, ready to be connected to."""
    world = world or Held()
    try:
        yield world, world.services.apply([settings], world.cells_of)[settings.name].targets[0]
    finally:
        await world.close()


@contextlib.asynccontextmanager
async def answering(name: str = "", **where: object) -> AsyncIterator[tuple[list[str], int]]:
    """A server that says its name; and the paths that it was asked for."""
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        asked.append(request.path)
        if request.path == "/slow":
            await asyncio.sleep(0.3)
        return Response(200, name.encode() or b"ok")

    server = Server(answer, SystemClock())
    port = await server.start(**where)  # type: ignore[arg-type]
    try:
        yield asked, port
    finally:
        await server.close()


async def failure(pool: Pool) -> str:
    with pytest.raises(ForegateError) as caught:
        await ask(pool)
    return caught.value.spec.code


def test_a_finished_connection_is_used_again() -> None:
    async def main() -> None:
        async with answering() as (asked, port), held(service(tcp(port))) as (_, target):
            for _ in range(5):
                await (await ask(target.pool)).read()
            assert (len(asked), target.pool.connections) == (5, 1)

    run(main)


def test_a_unix_socket_is_a_target_like_any_other(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "svc.sock")
        settings = service(Target("unix:" + path, "", 80, socket=path))
        async with answering("unix", path=path) as (_, _), held(settings) as (_, target):
            assert target.host_line == b"host: localhost\r\n"
            assert [await (await ask(target.pool)).read() for _ in range(2)] == [b"unix", b"unix"]
            assert target.pool.connections == 1
        async with held(service(Target("unix:/nowhere", "", 80, socket=str(tmp_path / "no.sock")))) as (_, target):
            assert await failure(target.pool) == "upstream_refused"

    run(main)


def test_tls_checks_the_certificate_against_the_authority_and_the_name(tmp_path: Path) -> None:
    pair = make(tmp_path, "svc", "svc.internal")

    async def main() -> None:
        shown = ServerCertificates([pair])
        right = UpstreamTls(ca_file=pair.certificate, server_name="svc.internal")
        async with answering("tls", tls=shown.context) as (_, port):
            async with held(service(tcp(port, tls=True), tls=right)) as (_, target):
                assert [await (await ask(target.pool)).read() for _ in range(2)] == [b"tls", b"tls"]
                assert target.pool.connections == 1
            for wrong in (
                UpstreamTls(ca_file=pair.certificate, server_name="other.internal"),
                UpstreamTls(ca_file=pair.certificate),  # the name is the address then
                UpstreamTls(server_name="svc.internal"),  # not signed by an authority of this machine
            ):
                async with held(service(tcp(port, tls=True), tls=wrong)) as (world, target):
                    assert [await failure(target.pool) for _ in range(5)] == ["upstream_tls"] * 5
                    assert world.said == ["upstream_tls_failed"]  # once in a while, not once each
            async with held(service(tcp(port, tls=True), tls=UpstreamTls(verify=False))) as (_, target):
                assert (await ask(target.pool)).status == 200

    run(main)


def test_our_certificate_is_shown_to_an_upstream_that_asks_for_one(tmp_path: Path) -> None:
    theirs, ours = make(tmp_path, "svc", "svc.internal"), make(tmp_path, "gateway", "gateway.internal")

    async def main() -> None:
        shown = ServerCertificates([theirs])
        for context in (shown.context, shown.find(None)):
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(ours.certificate)
        tls = UpstreamTls(True, theirs.certificate, "svc.internal", ours.certificate, ours.key)
        async with (
            answering(tls=shown.context) as (_, port),
            held(service(tcp(port, tls=True), tls=tls)) as (_, target),
        ):
            assert (await ask(target.pool)).status == 200

    run(main)


def test_a_tls_file_that_cannot_be_used_changes_nothing() -> None:
    async def main() -> None:
        async with answering() as (_, port), held(service(tcp(port))) as (world, target):
            bad = service(tcp(port, tls=True), name="other", tls=UpstreamTls(ca_file="/nowhere"))
            with pytest.raises(BadCertificate, match="/nowhere"):
                world.services.apply([bad], world.cells_of)
            assert world.services.apply([service(tcp(port))], world.cells_of)["svc"].targets[0] is target
            assert (await ask(target.pool)).status == 200

    run(main)


def test_other_tls_settings_are_met_by_new_connections(tmp_path: Path) -> None:
    pair = make(tmp_path, "svc", "svc.internal")

    async def main() -> None:
        shown = ServerCertificates([pair])
        async with answering(tls=shown.context) as (_, port):
            careless = service(tcp(port, tls=True), tls=UpstreamTls(verify=False))
            async with held(careless) as (world, target):
                await (await ask(target.pool)).read()
                strict = service(tcp(port, tls=True), tls=UpstreamTls(server_name="svc.internal"))
                world.services.apply([strict], world.cells_of)
                assert target.pool.take() is None
                assert await failure(target.pool) == "upstream_tls"

    run(main)


def test_beyond_connections_max_no_connection_is_made_and_it_is_our_fault() -> None:
    async def main() -> None:
        async with answering() as (_, port), held(service(tcp(port), connections_max=2)) as (_, target):
            busy = [await target.pool.open() for _ in range(2)]
            assert not any(isinstance(made, str) for made in busy)
            assert await target.pool.open() == "overloaded"
            busy[0].abandon(None)  # type: ignore[union-attr]
            await until(lambda: target.pool.connections == 1)
            assert not isinstance(await target.pool.open(), str)

    run(main)


def test_a_port_where_nobody_listens_refuses_and_one_that_says_nothing_times_out() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            async with held(service(tcp(taken.getsockname()[1]))) as (_, target):
                assert await failure(target.pool) == "upstream_refused"

        with socket.create_server(("127.0.0.1", 0)) as silent:  # the handshake is never answered
            there = tcp(silent.getsockname()[1], tls=True)
            settings = service(there, tls=UpstreamTls(verify=False), connect_timeout_s=0.2)
            async with held(settings) as (_, target):
                assert await failure(target.pool) == "upstream_timeout"
                assert target.pool.connections == 0

    run(main)


def test_a_retired_target_ends_what_is_under_way_and_closes() -> None:
    async def main() -> None:
        async with answering() as (_, port), held(service(tcp(port))) as (world, target):
            slow = asyncio.ensure_future(ask(target.pool, "/slow"))
            await until(lambda: target.pool.connections == 1)
            await (await ask(target.pool)).read()
            assert target.pool.connections == 2
            await asyncio.sleep(0.05)
            world.services.apply([], world.cells_of)
            assert await (await slow).read() == b"ok"
            await until(lambda: target.pool.connections == 0)

    run(main)


# --- names -------------------------------------------------------------------------------------------------------


class Names:
    """A resolver in memory."""

    def __init__(self, *answer: Address) -> None:
        self.answer: Sequence[Address] = answer
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked += 1
        return self.answer


def named(fresh_s: float = 30.0) -> Service:
    return service(tcp(80, "svc.internal"), health=Health(dns_s=fresh_s))


def test_connections_go_to_all_addresses_of_a_name_and_idle_ones_need_no_lookup() -> None:
    async def main() -> None:
        async with answering("a") as (_, a), answering("b") as (_, b):
            names = Names(("127.0.0.1", a), ("127.0.0.1", b))
            async with held(named(), Held(resolve=names)) as (_, target):
                both = await asyncio.gather(*(ask(target.pool, "/slow") for _ in range(4)))
                assert {await response.read() for response in both} == {b"a", b"b"}
                names.answer = ()
                for _ in range(10):
                    await (await ask(target.pool)).read()
                assert names.asked == 1

    run(main)


def test_an_address_that_does_not_answer_is_passed_by() -> None:
    async def main() -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            async with answering("b") as (_, b):
                names = Names(("127.0.0.1", nobody.getsockname()[1]), ("127.0.0.1", b))
                async with held(named(), Held(resolve=names)) as (_, target):
                    for _ in range(4):
                        connection = await target.pool.open()
                        assert not isinstance(connection, str)

    run(main)


def test_when_a_name_leads_elsewhere_idle_connections_to_the_old_address_are_closed() -> None:
    async def main() -> None:
        async with answering("old") as (_, old), answering("new") as (_, new):
            names = Names(("127.0.0.1", old))
            async with held(named(0.1), Held(resolve=names)) as (world, target):
                slow = asyncio.ensure_future(ask(target.pool, "/slow"))
                await until(lambda: target.pool.connections == 1)
                await (await ask(target.pool)).read()
                await asyncio.sleep(0.1)
                names.answer = (("127.0.0.1", new),)
                world.services.tick()
                await until(lambda: "upstream_addresses_changed" in world.said)
                assert await (await ask(target.pool)).read() == b"new"
                assert await (await slow).read() == b"old"  # what was under way ends …
                await until(lambda: target.pool.connections == 1)  # … and is not used again
                assert await (await ask(target.pool)).read() == b"new"

    run(main)


def test_when_all_addresses_fail_the_new_ones_are_found_at_once() -> None:
    async def main() -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            async with answering("new") as (_, new):
                names = Names(("127.0.0.1", nobody.getsockname()[1]))
                async with held(named(3_600.0), Held(resolve=names)) as (_, target):
                    assert await failure(target.pool) == "upstream_refused"
                    names.answer = (("127.0.0.1", new),)
                    await asyncio.sleep(1.1)  # no name is looked up more than once a second
                    assert await (await ask(target.pool)).read() == b"new"
                    assert names.asked == 2

    run(main)


def test_a_name_that_is_not_known_refuses_and_says_so_in_the_log() -> None:
    async def main() -> None:
        async with held(named(), Held(resolve=Names())) as (world, target):
            assert await failure(target.pool) == "upstream_refused"
            assert world.said == ["name_lookup_failed"]

    run(main)
