"""Services as a client meets them: over TLS and Unix sockets, balanced, watched, bounded, changed while serving."""

import asyncio
from collections import Counter
from pathlib import Path

import msgspec
from tests.gateway.upstream.making import tcp, until
from tests.gateway.world import OPEN, World, gateway, run, service, snapshot, target, upstream
from tests.http1.certificates import make

from foregate.http1 import Request, Response, Server
from foregate.http1.tls import ServerCertificates
from foregate.kernel.clock import SystemClock
from foregate.wire.snapshot import ActiveCheck, Balance, Health, Target, UpstreamTls


async def named(name: str) -> tuple[Server, int]:
    async def answer(request: Request) -> Response:
        if request.path == "/slow":
            await asyncio.sleep(0.3)
        return Response(200, name.encode())

    server = Server(answer, SystemClock())
    return server, await server.start()


async def get(world: World, path: str = "/", **headers: str) -> tuple[int, bytes]:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    response = await world.client.request("GET", world.url(path), headers=fields)
    return response.status, await response.read()


def test_tls_and_unix_targets_serve_like_any_other(tmp_path: Path) -> None:
    pair = make(tmp_path, "svc", "svc.internal")

    async def answer(request: Request) -> Response:
        return Response(200, (request.header("host") or "").encode())

    async def main() -> None:
        path = str(tmp_path / "svc.sock")
        local, secret = Server(answer, SystemClock()), Server(answer, SystemClock())
        await local.start(path=path)
        port = await secret.start(tls=ServerCertificates([pair]).context)
        places = Target(f"unix:{path}", "localhost", 80, socket=path), tcp(port, tls=True)
        tls = UpstreamTls(ca_file=pair.certificate, server_name="svc.internal")
        mixed = msgspec.structs.replace(service(targets=places), tls=tls)
        async with gateway([mixed]) as world:
            found = [await get(world) for _ in range(10)]
            assert Counter(found) == {(200, b"localhost"): 5, (200, b"127.0.0.1:%d" % port): 5}
        await local.close()
        await secret.close()

    run(main)


def test_a_certificate_that_is_not_accepted_is_a_502_that_says_so(tmp_path: Path) -> None:
    pair = make(tmp_path, "svc", "svc.internal")

    async def main() -> None:
        async def answer(request: Request) -> Response:
            raise AssertionError("no request may be sent")

        secret = Server(answer, SystemClock())
        port = await secret.start(tls=ServerCertificates([pair]).context)
        async with gateway([service(targets=[tcp(port, tls=True)])]) as world:
            status, body = await get(world)
            assert status == 502
            assert b'"upstream_tls"' in body
            assert world.event.error == "upstream_tls"
        await secret.close()

    run(main)


def test_one_who_hashes_by_a_header_meets_the_same_target_each_time() -> None:
    async def main() -> None:
        servers = [await named(f"t{number}") for number in range(4)]
        balance = Balance(algorithm="consistent_hash", hash_by="header:x-user")
        async with gateway([service(*(port for _, port in servers), balance=balance)]) as world:
            where = {user: {(await get(world, x_user=user))[1] for _ in range(4)} for user in "abcdefghijklmnop"}
            assert all(len(met) == 1 for met in where.values())
            assert len({met.pop() for met in where.values()}) > 1
        for server, _ in servers:
            await server.close()

    run(main)


def test_a_target_whose_checks_fail_gets_no_requests() -> None:
    async def main() -> None:
        async def sick(request: Request) -> Response:
            return Response(503 if request.path == "/healthz" else 200, b"sick")

        async with upstream(sick) as (_, bad), upstream() as (_, good):
            active = ActiveCheck(path="/healthz", interval_s=0.05, unhealthy=2, statuses=(200,))
            watched = msgspec.structs.replace(service(bad, good), health=Health(active=active))
            async with gateway([watched]) as world:
                await until(lambda: any(what == "target_unhealthy" for what, _ in world.log))
                assert {(await get(world))[1] for _ in range(20)} == {b"/"}

    run(main)


def test_a_request_beyond_connections_max_is_overload_and_not_held_against_the_target() -> None:
    async def main() -> None:
        server, port = await named("slow")
        bounded = msgspec.structs.replace(service(port), connections_max=3)
        async with gateway([bounded]) as world:
            found = await asyncio.gather(*(get(world, "/slow") for _ in range(10)))
            assert Counter(status for status, _ in found) == {200: 3, 503: 7}
            assert Counter(event.error for event in world.sink.events)["overloaded"] == 7
            assert (await get(world))[0] == 200
        await server.close()

    run(main)


def test_targets_change_while_requests_are_under_way_and_none_of_them_fails() -> None:
    async def main() -> None:
        servers = [await named(f"t{number}") for number in range(3)]
        ports = [port for _, port in servers]
        async with gateway([service(*ports)]) as world:
            statuses: list[int] = []

            async def client() -> None:
                while len(statuses) < 600:
                    statuses.append((await get(world, "/slow" if len(statuses) % 50 == 0 else "/"))[0])

            clients = asyncio.gather(*(client() for _ in range(4)))
            for turn in range(30):
                places = [target(port) for index, port in enumerate(ports) if index != turn % 3]
                changed = snapshot([service(targets=places)], [OPEN])
                await world.gateway.apply(msgspec.structs.replace(changed, version=f"{turn:012x}"))
                await asyncio.sleep(0.02)
            await clients
            assert Counter(statuses) == {200: len(statuses)}
        for server, _ in servers:
            await server.close()

    run(main)
