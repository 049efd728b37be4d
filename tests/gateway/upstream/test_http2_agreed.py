"""How it is agreed that a service speaks HTTP/2, and how that changes."""

import asyncio
import ssl
from pathlib import Path

import msgspec
import pytest
from tests.gateway.upstream.asking import ask, h2c
from tests.gateway.upstream.making import tcp, until
from tests.gateway.world import gateway, run, service, snapshot, upstream
from tests.http1.certificates import make
from tests.http2.upstream import Asked, h2_upstream

from foregate.http1 import Request, Response, Server
from foregate.http1.tls import ServerCertificates
from foregate.kernel.clock import SystemClock
from foregate.wire.snapshot import ActiveCheck, Health, Service, Target, UpstreamProtocol, UpstreamTls


def _alpn(pair_folder: Path, *protocols: str) -> tuple[ssl.SSLContext, str]:
    pair = make(pair_folder, "svc", "svc.internal")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context, pair.certificate


def _secure(port: int, ca_file: str, protocol: UpstreamProtocol) -> Service:
    tls = UpstreamTls(ca_file=ca_file, server_name="svc.internal")
    return msgspec.structs.replace(service(targets=[tcp(port, tls=True)]), tls=tls, protocol=protocol)


@pytest.mark.parametrize("protocol", ["h2", "auto"])
def test_over_tls_http2_is_agreed_on(tmp_path: Path, protocol: UpstreamProtocol) -> None:
    async def main() -> None:
        context, ca_file = _alpn(tmp_path, "h2", "http/1.1")
        async with h2_upstream(tls=context) as (served, port), gateway([_secure(port, ca_file, protocol)]) as world:
            found = await asyncio.gather(*(ask(world, "/", "POST", b"over tls") for _ in range(20)))
            assert found == [(200, b"over tls")] * 20
            assert served.requests[0].fields[":scheme"] == "https"
            assert len(served.connections) == 1

    run(main)


def test_what_speaks_only_http1_serves_auto_and_is_refused_where_h2_was_asked_for(tmp_path: Path) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, b"one")

    async def main() -> None:
        pair = make(tmp_path, "svc", "svc.internal")
        server = Server(answer, SystemClock())
        port = await server.start(tls=ServerCertificates([pair]).context)
        async with gateway([_secure(port, pair.certificate, "auto")]) as world:
            found = await asyncio.gather(*(ask(world) for _ in range(10)))
            assert found == [(200, b"one")] * 10
        async with gateway([_secure(port, pair.certificate, "h2")]) as world:
            assert (await ask(world))[0] == 502
            assert world.event.error == "upstream_tls"
            assert [what for what, _ in world.log] == ["upstream_tls_failed"]
        await server.close()

    run(main)


def test_auto_without_tls_is_http1() -> None:
    async def main() -> None:
        async with upstream() as (handler, port), gateway([h2c(port, protocol="auto")]) as world:
            assert await ask(world, "/x") == (200, b"/x")
            assert len(handler.requests) == 1

    run(main)


def test_a_unix_socket_may_speak_http2(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "svc.sock")
        place = Target(f"unix:{path}", "localhost", 80, socket=path)
        async with h2_upstream(path=path) as (_, _port), gateway([h2c(targets=[place])]) as world:
            assert await ask(world, "/", "POST", b"local") == (200, b"local")

    run(main)


def test_health_checks_ask_in_http2_too() -> None:
    async def answer(asked: Asked) -> None:
        asked.head(200 if asked.fields[":path"] == "/health" else 204, end=True)

    async def main() -> None:
        health = Health(active=ActiveCheck(path="/health", interval_s=0.1))
        async with h2_upstream(answer) as (served, port):
            checked = msgspec.structs.replace(h2c(port), health=health)
            async with gateway([checked]) as world:
                assert (await ask(world))[0] == 204
                await until(lambda: sum(each.fields[":path"] == "/health" for each in served.requests) >= 3)
                await until(lambda: served.lost >= 2)  # a check's connection is its own
                assert (await ask(world))[0] == 204
                assert not world.log

    run(main)


def test_a_change_of_protocol_takes_effect_and_breaks_nothing_off() -> None:
    go = asyncio.Event()

    async def answer(asked: Asked) -> None:
        await go.wait()
        asked.head(200, end=True)

    async def main() -> None:
        async with h2_upstream(answer) as (served, port), gateway([h2c(port)]) as world:
            slow = asyncio.ensure_future(ask(world))
            await until(lambda: len(served.requests) == 1)
            await world.gateway.apply(
                snapshot([h2c(port, protocol="http/1.1")], [world.gateway._table.snapshot.routes[0]])
            )
            go.set()
            assert (await slow)[0] == 200
            await until(lambda: served.lost == 1)
            assert (await ask(world))[0] == 502  # it speaks no HTTP/1.1

    run(main)
