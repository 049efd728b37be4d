"""Health with real upstreams: who turns sick gets no requests, who recovers does again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.gateway.upstream.making import Held, ask, service, tcp, until
from tests.http1.certificates import make
from tests.http1.world import run

from foregate.gateway import layout
from foregate.gateway.upstream import ServiceState, TargetState
from foregate.http1 import Request, Response, Server
from foregate.http1.tls import ServerCertificates
from foregate.kernel.clock import SystemClock
from foregate.wire.snapshot import ActiveCheck, Balance, Health, OutlierDetection, Service, Target, UpstreamTls

CHECK = ActiveCheck(path="/healthz", interval_s=0.05, timeout_s=0.5, healthy=2, unhealthy=2)


class Patient:
    """An upstream whose state is set from outside."""

    def __init__(self) -> None:
        self.status = 200
        self.hangs = False
        self.checks: list[Request] = []
        self.port = 0
        self.server = Server(self, SystemClock())

    async def __call__(self, request: Request) -> Response:
        if request.path == "/healthz":
            self.checks.append(request)
        if self.hangs:
            await asyncio.sleep(30.0)
        return Response(self.status, b"x" * 100)


@contextlib.asynccontextmanager
async def patient(**where: object) -> AsyncIterator[Patient]:
    one = Patient()
    one.port = await one.server.start(**where)  # type: ignore[arg-type]
    try:
        yield one
    finally:
        await one.server.close()


@contextlib.asynccontextmanager
async def watched(settings: Service) -> AsyncIterator[tuple[Held, ServiceState]]:
    held = Held()
    try:
        state = held.services.apply([settings], held.cells_of)[settings.name]
        held.services.start()
        yield held, state
    finally:
        await held.close()


def chosen(state: ServiceState) -> set[TargetState | None]:
    return {state.choose(SystemClock.monotonic()) for _ in range(40)}


def test_a_target_that_turns_sick_is_passed_by_until_it_recovers() -> None:
    async def main() -> None:
        async with patient() as sick, patient() as well:
            settings = service(tcp(sick.port), tcp(well.port), health=Health(active=CHECK))
            async with watched(settings) as (held, state):
                first, second = state.targets
                await until(lambda: sick.checks and well.checks)
                assert chosen(state) == {first, second}
                sick.status = 503
                await until(lambda: not first.usable)
                assert chosen(state) == {second}
                assert first.cells[layout.UNHEALTHY] == 1.0
                assert held.log[-1][1] == {"service": "svc", "target": first.url, "reason": "status 503"}
                sick.status = 204
                await until(lambda: first.usable)
                assert chosen(state) == {first, second}
                assert first.cells[layout.UNHEALTHY] == 0.0
                assert held.said == ["target_unhealthy", "target_healthy"]

    run(main)


def test_a_check_is_a_plain_request_with_its_own_connection() -> None:
    async def main() -> None:
        async with (
            patient() as one,
            watched(service(tcp(one.port), health=Health(active=CHECK))) as (_, state),
        ):
            await until(lambda: len(one.checks) >= 3)
            check = one.checks[0]
            assert (check.method, check.header("user-agent")) == ("GET", "foregate-health")
            assert check.header("host") == f"127.0.0.1:{one.port}"
            await until(lambda: state.targets[0].pool.connections == 0)

    run(main)


def test_a_target_that_hangs_or_is_gone_is_unhealthy() -> None:
    async def main() -> None:
        quick = ActiveCheck(path="/healthz", interval_s=0.05, timeout_s=0.1, healthy=1, unhealthy=2)
        async with patient() as hanging, patient() as gone, patient() as well:
            targets = tcp(hanging.port), tcp(gone.port), tcp(well.port)
            async with watched(service(*targets, health=Health(active=quick))) as (_, state):
                await until(lambda: gone.checks)
                hanging.hangs = True
                await gone.server.close()
                await until(lambda: not state.targets[0].usable and not state.targets[1].usable)
                assert chosen(state) == {state.targets[2]}

    run(main)


def test_when_all_are_unhealthy_all_are_used() -> None:
    async def main() -> None:
        async with patient() as one, patient() as other:
            one.status = other.status = 500
            settings = service(tcp(one.port), tcp(other.port), health=Health(active=CHECK))
            async with watched(settings) as (held, state):
                await until(lambda: not any(target.usable for target in state.targets))
                assert chosen(state) == set(state.targets)
                assert held.said[-1] == "no_healthy_target_left"

    run(main)


def test_tls_and_unix_targets_are_checked_over_their_own_way(tmp_path: Path) -> None:
    pair = make(tmp_path, "svc", "svc.internal")

    async def main() -> None:
        path = str(tmp_path / "svc.sock")
        async with patient(tls=ServerCertificates([pair]).context) as secret, patient(path=path) as local:
            targets = tcp(secret.port, tls=True), Target("unix:" + path, "", 80, socket=path)
            tls = UpstreamTls(ca_file=pair.certificate, server_name="svc.internal")
            settings = service(*targets, tls=tls, health=Health(active=CHECK))
            async with watched(settings) as (held, state):
                await until(lambda: len(secret.checks) >= 3 and len(local.checks) >= 3)
                assert all(target.usable for target in state.targets)
                assert held.log == []

    run(main)


def test_verdicts_survive_a_reload_and_new_settings_are_followed_at_once() -> None:
    async def main() -> None:
        async with patient() as sick, patient() as well, patient() as new:
            settings = service(tcp(sick.port), tcp(well.port), health=Health(active=CHECK))
            async with watched(settings) as (held, state):
                sick.status = 500
                await until(lambda: not state.targets[0].usable)
                seldom = ActiveCheck(path="/healthz", interval_s=3_600.0)
                changed = service(tcp(new.port), tcp(sick.port), health=Health(active=seldom))
                held.services.apply([changed], held.cells_of)
                assert [target.usable for target in state.targets] == [True, False]
                assert chosen(state) == {state.targets[0]}
                sick.status = 200
                often = service(tcp(new.port), tcp(sick.port), health=Health(active=CHECK))
                held.services.apply([often], held.cells_of)
                await until(lambda: state.targets[1].usable)
                held.services.apply([service(tcp(new.port))], held.cells_of)
                await asyncio.sleep(0.1)
                asked = len(new.checks)
                await asyncio.sleep(0.3)
                assert len(new.checks) == asked  # nobody asks any more

    run(main)


def test_a_recovered_target_starts_slowly() -> None:
    async def main() -> None:
        async with patient() as sick, patient() as well:
            balance = Balance(algorithm="round_robin", slow_start_s=60.0)
            settings = service(tcp(sick.port), tcp(well.port), balance=balance, health=Health(active=CHECK))
            async with watched(settings) as (_, state):
                first = state.targets[0]
                sick.status = 500
                await until(lambda: not first.usable)
                sick.status = 200
                await until(lambda: first.usable)
                now_s = SystemClock.monotonic()
                share = sum(state.choose(now_s) is first for _ in range(400)) / 400
                assert share < 0.2

    run(main)


def test_an_outlier_is_ejected_by_the_traffic_alone_and_comes_back() -> None:
    async def main() -> None:
        outlier = OutlierDetection(interval_s=0.2, requests_min=5, error_rate=0.5, eject_s=0.6)
        async with patient() as sick, patient() as well:
            sick.status = 500
            settings = service(tcp(sick.port), tcp(well.port), health=Health(outlier=outlier))
            async with watched(settings) as (held, state):
                first, second = state.targets

                async def traffic() -> None:
                    while True:
                        now_s = SystemClock.monotonic()
                        target = state.choose(now_s)
                        assert target is not None
                        target.began(now_s)
                        response = await ask(target.pool)
                        await response.read()
                        end_s = SystemClock.monotonic()
                        target.ended(end_s, response.status < 500, end_s - now_s)
                        await asyncio.sleep(0.002)

                running = asyncio.ensure_future(traffic())
                await until(lambda: not first.usable)
                assert chosen(state) == {second}
                assert first.cells[layout.EJECTED] == 1.0
                what, facts = held.log[0]
                assert (what, facts["target"], facts["seconds"]) == ("target_ejected", first.url, 0.6)
                assert str(facts["reason"]).startswith("100% of ")
                await until(lambda: held.said.count("target_ejected") == 2)
                assert held.said[:3] == ["target_ejected", "target_returned", "target_ejected"]
                assert held.log[2][1]["seconds"] == 1.2
                sick.status = 200
                await until(lambda: held.said.count("target_returned") == 2)
                await until(lambda: chosen(state) == {first, second})  # whenever neither has anything under way
                running.cancel()

    run(main)
