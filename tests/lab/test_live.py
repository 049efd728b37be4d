"""The live lab, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from foregate.http1 import Client, Request, Response, Server
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError
from foregate.kernel.tasks import spawn
from foregate.lab import Fault, LabConfig, Scenario, demo_config, run_headless, run_lab
from foregate.lab.live.ballast import BLOCK_BYTES, Ballast
from foregate.lab.live.config import LabAddresses, default_ports, instance_names
from foregate.lab.live.run import Lab
from foregate.lab.live.worlds import Worlds
from foregate.lab.model.world import World
from foregate.lab.traffic.visits import ROUTES

CLOCK = SystemClock()
JSON = ((b"content-type", b"application/json"),)
Report = list[tuple[str, BaseException]]


class Town:
    """A running lab and somebody who asks it."""

    def __init__(self, addresses: LabAddresses, client: Client) -> None:
        self.addresses = addresses
        self.client = client

    async def ask(self, method: str, url: str, body: bytes = b"") -> tuple[int, Any]:
        response = await self.client.request(method, url, headers=JSON, body=body, timeout_s=10.0)
        text = await response.read()
        return response.status, json.loads(text) if text else None

    async def service(self, instance: str, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        return await self.ask(method, f"http://127.0.0.1:{self.addresses.ports[instance]}{path}", body)

    async def control(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        return await self.ask(method, self.addresses.control_url + path, json.dumps(body).encode() if body else b"")


@asynccontextmanager
async def town(config: LabConfig) -> AsyncIterator[Town]:
    errors: Report = []
    stop = asyncio.Event()
    listening: asyncio.Future[LabAddresses] = asyncio.get_running_loop().create_future()
    lab = spawn(
        run_lab(config, CLOCK, stop=stop, ready=listening.set_result, report=lambda *error: errors.append(error)),
        name="lab",
    )
    client = Client(CLOCK)
    try:
        yield Town(await listening, client)
    finally:
        await client.close()
        stop.set()
        await lab
    assert errors == []


def live(story: Callable[[Town], Awaitable[None]], config: LabConfig | None = None) -> None:
    async def main() -> None:
        async with town(config or LabConfig(ports={}, scenario=Scenario(3))) as place:
            await story(place)

    uvloop.run(main())


def test_every_service_answers_with_real_content():
    async def story(place: Town) -> None:
        assert await place.service("users-0", "GET", "/users/17") == (
            200,
            {"id": 17, "name": "user 17", "plan": "team"},
        )
        assert (await place.service("users-0", "GET", "/users/999999"))[0] == 404
        assert (await place.service("payments-0", "POST", "/payments", b"{}"))[1]["status"] == "captured"
        assert (await place.service("orders-0", "POST", "/orders", b"{}"))[1]["status"] == "placed"
        status, found = await place.service("search-0", "GET", "/search?q=full+heap")
        assert status == 200
        assert "heap" in found["hits"][0]
        assert len((await place.service("ai-0", "POST", "/ai/complete", b"{}"))[1]["text"].split()) >= 1
        assert len((await place.service("ai-1", "POST", "/ai/embed", b"{}"))[1]["embedding"]) == 16

    live(story)


def test_a_chat_streams_token_by_token_and_stops_when_the_reader_leaves():
    async def story(place: Town) -> None:
        loop = asyncio.get_running_loop()
        url = f"http://127.0.0.1:{place.addresses.ports['ai-0']}/ai/chat"
        for _ in range(3):
            answer = await place.client.request("POST", url, headers=JSON, body=b"{}")
            assert answer.header("content-type") == "text/event-stream"
            moments, text = [], b""
            async for chunk in answer.chunks():
                moments.append(loop.time())
                text += chunk
            assert text.endswith(b"data: [DONE]\n\n")
            tokens = text.count(b"data: ") - 1
            assert len(moments) > tokens / 2, "tokens came in lumps"
        answer = await place.client.request("POST", url, headers=JSON, body=b"{}")
        answer.abandon()
        for _ in range(100):
            await asyncio.sleep(0.05)
            state = (await place.control("GET", "/state"))[1]
            if state["services"]["ai"]["database"]["taken"] == 0:
                return
        pytest.fail("the slot is still taken")

    live(story)


def test_a_crash_by_api_really_refuses_connections_and_its_dependant_says_so():
    async def story(place: Town) -> None:
        status, fault = await place.control("POST", "/faults", {"kind": "crash", "service": "users", "duration_s": 600})
        assert (status, fault["kind"], fault["by"]) == (201, "crash", "person")
        for _ in range(100):
            try:
                await place.service("users-0", "GET", "/users/1")
            except ForegateError as error:
                if error.spec.code == "upstream_refused":
                    break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("it still listens")
        status, problem = await place.service("orders-0", "POST", "/orders", b"{}")
        assert status == 502
        assert "users" in problem["error"]
        active = (await place.control("GET", "/faults"))[1]["active"]
        assert [one["id"] for one in active] == [fault["id"]]
        assert active[0]["ends_s"] - active[0]["started_s"] == pytest.approx(600.0)
        assert (await place.control("DELETE", f"/faults/{fault['id']}"))[0] == 204
        for _ in range(100):
            try:
                if (await place.service("users-0", "GET", "/users/1"))[0] == 200:
                    break
            except ForegateError:
                await asyncio.sleep(0.02)
        else:
            pytest.fail("it did not come back on its port")
        assert (await place.control("GET", "/faults"))[1]["active"] == []

    live(story)


def test_the_control_endpoint_lists_kinds_and_schedule_and_refuses_nonsense():
    scenario = Scenario(3, faults=(Fault("brownout", "search", 500.0, 60.0),))

    async def story(place: Town) -> None:
        status, faults = await place.control("GET", "/faults")
        assert status == 200
        assert {kind["kind"] for kind in faults["kinds"]} >= {"memory_leak", "retry_storm", "bad_deploy"}
        assert [(one["kind"], one["service"]) for one in faults["schedule"]] == [("brownout", "search")]
        assert abs(faults["schedule"][0]["starts_s"] - CLOCK.now() - 500.0) < 60.0
        wrong: list[dict[str, object]] = [
            {"kind": "memory_leek", "service": "users"}, {"kind": "crash", "service": "billing"}, {"kind": "crash"},
            {"kind": "crash", "service": "users", "severity": 2}, {"kind": "crash", "service": "users", "more": 1},
            {"kind": "crash", "service": "users", "duration_s": 1e9}, {"kind": "crash", "service": 5},
        ]  # fmt: skip
        for body in wrong:
            status, problem = await place.control("POST", "/faults", body)
            assert (status, problem["code"]) == (400, "invalid_parameter"), body
        assert (await place.control("DELETE", "/faults/flt_0001"))[0] == 404
        assert (await place.control("PUT", "/faults", {}))[0] == 405
        assert (await place.control("GET", "/secrets"))[0] == 404
        assert (await place.control("POST", "/traffic", {"rate": -1}))[0] == 400
        assert await place.control("POST", "/traffic", {"rate": 12.5}) == (200, {"rate": 12.5})
        plain = await place.client.request(
            "POST", f"{place.addresses.control_url}/faults", headers=((b"content-type", b"text/plain"),), body=b"{}"
        )
        assert plain.status == 400
        await plain.read()

    live(story, LabConfig(ports={}, scenario=scenario))


class Passage:
    """The plainest gateway there is: it forwards by route and notes what came of it."""

    def __init__(self, client: Client) -> None:
        self.lab: Lab | None = None
        self.ports: dict[str, int] = {}
        self.seen: list[tuple[str, str, int, float, str | None]] = []  # route, path, status, seconds, key
        self._client = client
        self.server = Server(self._forward, CLOCK)

    async def _forward(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        body = await request.body()
        route = max((r for r in ROUTES if request.path.startswith(r.path)), key=lambda r: len(r.path))
        path = request.path.removeprefix(route.path) if route.strip else request.path
        url = f"http://127.0.0.1:{self.ports[f'{route.service}-0']}{path}" + f"?{request.query}" * bool(request.query)
        answer = await self._client.request(request.method, url, headers=JSON, body=body, timeout_s=5.0)
        text = await answer.read()
        self.seen.append((route.path, request.path, answer.status, loop.time() - began_s, request.header("x-api-key")))
        return Response(answer.status, text)


@asynccontextmanager
async def busy_town(scenario: Scenario) -> AsyncIterator[tuple[Lab, Passage]]:
    errors: Report = []
    inside = Client(CLOCK)
    passage = Passage(inside)
    port = await passage.server.start()
    config = LabConfig(
        gateway_url=f"http://127.0.0.1:{port}", keys={"web": "key-w", "mobile": "key-m", "partner": "key-p"},
        ports={}, scenario=scenario,
    )  # fmt: skip
    lab = Lab(config, CLOCK, lambda *error: errors.append(error))
    try:
        passage.ports = dict((await lab.start()).ports)
        lab.begin()
        yield lab, passage
    finally:
        await lab.close()
        await passage.server.close(0.0)
        await inside.close()
    assert errors == []


def test_traffic_flows_with_each_clients_own_key_and_can_be_turned_off():
    async def main() -> None:
        async with busy_town(Scenario(8, rate=60.0)) as (lab, passage):
            await _until(lambda: len(passage.seen) > 60 and len({route for route, *_ in passage.seen}) >= 5)
            assert {key for *_, key in passage.seen} <= {"key-w", "key-m", "key-p"}
            good = sum(status < 500 for _, _, status, _, _ in passage.seen)
            assert good > 0.9 * len(passage.seen)
            lab.heart.arrivals.rate = 0.0
            for _ in range(10):  # those on their way still arrive
                quiet = len(passage.seen)
                await asyncio.sleep(0.7)
                if len(passage.seen) == quiet:
                    break
            else:
                pytest.fail("there is traffic though nobody is to come")

    uvloop.run(main())


def test_worlds_side_by_side_have_traffic_and_faults_of_their_own_and_rest_when_theirs_are_over():
    crash = Fault("crash", "users", 0.0, 600.0)
    scenarios = {"short": Scenario(8, duration_s=1.0, rate=50.0), "long": Scenario(9, rate=50.0, faults=(crash,))}

    async def main() -> None:
        errors: Report = []
        client = Client(CLOCK)
        passages = {name: Passage(client) for name in scenarios}
        urls = {name: f"http://127.0.0.1:{await passage.server.start()}" for name, passage in passages.items()}
        configs = {
            name: LabConfig(urls[name], {"web": f"{name}'s"}, scenario, ports={})
            for name, scenario in scenarios.items()
        }
        worlds = Worlds(configs, CLOCK, lambda *error: errors.append(error))
        begun: list[str] = []
        try:
            for name, addresses in (await worlds.start()).items():
                passages[name].ports = dict(addresses.ports)
            await worlds.begin(begun.append)
            short, long = (passages[name].seen for name in begun)
            await _until(lambda: len(short) > 10)
            for _ in range(20):  # the short one rests while the long one goes on
                before, onwards = len(short), len(long) + 15
                await _until(lambda onwards=onwards: len(long) > onwards)
                if len(short) == before:
                    break
            else:
                pytest.fail("the traffic of a world goes on when its run is over")
        finally:
            await worlds.close()
            for passage in passages.values():
                await passage.server.close(0.0)
            await client.close()
        assert (errors, begun, worlds.shed) == ([], ["short", "long"], 0)
        assert {key for *_, key in short} <= {"short's", None}
        assert {key for *_, key in long} <= {"long's", None}
        assert "/users" in {route for route, *_ in short}
        assert "/users" not in {route for route, *_ in long}, "its users are down"

    uvloop.run(main())


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if holds():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not come to pass within a minute")


@pytest.mark.parametrize("fault", [
    Fault("bad_deploy", "users", 0.0, 900.0, 1.0),
    Fault("brownout", "users", -150.0, 900.0, 1.0),
], ids=lambda fault: fault.kind)  # fmt: skip
def test_a_fault_has_the_same_signature_live_and_headless(fault: Fault):
    """Coarse on purpose: seconds of a busy machine against the same seconds of the model."""
    scenario = Scenario(8, duration_s=5.0, rate=70.0, faults=(fault,))

    async def main() -> list[tuple[int, float]]:
        async with busy_town(scenario) as (_, passage):
            await asyncio.sleep(scenario.duration_s)
            return [(status, seconds * 1e3) for route, _, status, seconds, _ in passage.seen if route == "/users"]

    real = uvloop.run(main())
    calm, model = (
        [(event.status, event.latency_ms) for chunk in run_headless(run) for event in chunk if event.route == "/users"]
        for run in (scenario.without_faults(), scenario)
    )
    assert len(real) > 25
    assert _errors(real) == pytest.approx(_errors(model), abs=0.25)
    assert 0.4 < _median_ms(real) / _median_ms(model) < 2.5
    assert _errors(model) > 0.2 or _median_ms(model) > 1.5 * _median_ms(calm), "the fault leaves no signature"


def _errors(seen: list[tuple[int, float]]) -> float:
    return sum(status >= 500 for status, _ in seen) / len(seen)


def _median_ms(seen: list[tuple[int, float]]) -> float:
    return sorted(latency for _, latency in seen)[len(seen) // 2]


def test_a_leak_really_holds_memory_and_lets_go_of_it():
    instance = World(Scenario(1)).services["payments"].instances[0]
    ballast = Ballast(instance)
    ballast.step()
    assert ballast.held_bytes == 0
    instance.heap.live_mb = instance.heap.limit_mb
    ballast.step()
    assert 5_000_000 < ballast.held_bytes <= 32 * 1_048_576
    assert ballast.held_bytes % BLOCK_BYTES == 0
    instance.heap.reset()
    ballast.step()
    assert ballast.held_bytes == 0


def test_the_demos_configuration_covers_every_route_service_and_key():
    ports = default_ports()
    config = demo_config(ports, listen={"gateway": "127.0.0.1:0", "console": "127.0.0.1:0"})
    assert set(config["services"]) == {route.service for route in ROUTES}
    targets = [target for service in config["services"].values() for target in service["targets"]]
    assert sorted(targets) == sorted(f"http://127.0.0.1:{ports[name]}" for name in instance_names())
    assert len(config["services"]["ai"]["targets"]) == 2
    assert {key["name"] for key in config["keys"]} == {"demo", "web", "mobile", "partner"}
    assert all(key["secret"].startswith("${env:FOREGATE_DEMO") for key in config["keys"])
