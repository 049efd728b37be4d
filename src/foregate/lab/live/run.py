"""Run the lab live: listeners, dependencies over HTTP, traffic, faults and the control endpoint."""

import asyncio
from collections.abc import Callable

from foregate.http1 import Client, Server
from foregate.kernel.clock import Clock
from foregate.kernel.tasks import report_to_stderr, spawn
from foregate.lab.heart import Heart
from foregate.lab.live.ballast import Ballast
from foregate.lab.live.config import HOST, LabAddresses, LabConfig
from foregate.lab.live.control import Control
from foregate.lab.live.demo import service_name
from foregate.lab.live.exporter import Exporter
from foregate.lab.live.instances import InstanceServer, Report
from foregate.lab.live.peer import HttpPeer
from foregate.lab.live.sender import Sender
from foregate.lab.metrics import EVERY_S
from foregate.lab.model.world import World
from foregate.lab.services.orders import Orders
from foregate.lab.traffic.visits import Visit

BALLAST_EVERY_S = 1.0


async def run_lab(
    config: LabConfig,
    clock: Clock,
    *,
    stop: asyncio.Event,
    ready: Callable[[LabAddresses], None] = lambda addresses: None,
    report: Report = report_to_stderr,
) -> None:
    """Run until `stop` is set, then close everything. `ready` hears once all listen, before the first request.

    Raises OSError when a port is taken.
    """
    lab = Lab(config, clock, report)
    try:
        ready(await lab.start())
        lab.begin()
        await stop.wait()
    finally:
        await lab.close()


class Lab:
    """The parts of a live lab: `start` them, `begin` to let time run, `close` them."""

    def __init__(self, config: LabConfig, clock: Clock, report: Report) -> None:
        self._config = config
        self._report = report
        self._outside = Client(clock)
        self._inside = Client(clock)
        self._sender = Sender(self._outside, config.gateway_url, config.keys, report)
        world = World(config.scenario)
        self.heart = Heart(config.scenario, self._send, world)
        self._servers = [
            InstanceServer(service, instance, clock, report)
            for service in world.services.values()
            for instance in service.instances
        ]
        self._ballasts = [Ballast(server.instance) for server in self._servers]
        control = Control(self.heart, clock, self._extra_state())
        self._control = Server(control.handle, clock)
        self._exporter = Exporter(
            self._outside,
            config.telemetry_url,
            config.telemetry_key,
            world.services.values(),
            lambda name: service_name(name, config.world),
            clock.now,
            report,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def _extra_state(self) -> dict[str, Callable[[], object]]:
        return {
            "in_flight": lambda: self._sender.in_flight,
            "shed": lambda: self.shed,
            "statuses": lambda: {str(status): count for status, count in self._sender.statuses.items()},
            "held_bytes": lambda: sum(ballast.held_bytes for ballast in self._ballasts),
        }

    @property
    def shed(self) -> int:
        """Visits that were never sent, because too many were under way."""
        return self._sender.shed

    def _send(self, visit: Visit, done: Callable[[int], None]) -> None:
        if self._config.gateway_url:
            self._sender.send(visit, done)

    async def start(self) -> LabAddresses:
        """Listen everywhere, and let services reach each other over HTTP."""
        for server in self._servers:
            await server.start(self._config.ports.get(server.instance.name, 0))
        ports = {server.instance.name: server.port for server in self._servers}
        for service in self.heart.world.services.values():
            if isinstance(service, Orders):
                service.users = self._peer("users", ports)
                service.payments = self._peer("payments", ports)
        control_port = await self._control.start(HOST, self._config.control_port)
        return LabAddresses(ports, control_port)

    def _peer(self, name: str, ports: dict[str, int]) -> HttpPeer:
        return HttpPeer(
            self._inside, name, [port for instance, port in ports.items() if instance.startswith(f"{name}-")]
        )

    def begin(self) -> None:
        """Let time run: traffic, faults and metrics."""
        self.heart.start()
        self._tasks.append(spawn(self._weigh(), name="ballast", on_error=self._report))
        if self._config.telemetry_url:
            first_s = EVERY_S * (1.0 + self._config.scenario.seed % 100 / 100)  # worlds side by side take turns
            self._tasks.append(spawn(self._exporter.run(first_s), name="lab metrics", on_error=self._report))

    def rest(self) -> None:
        """No more traffic and no more faults; the services stay."""
        self.heart.stop()

    async def _weigh(self) -> None:
        while True:
            for ballast in self._ballasts:
                ballast.step()
            await asyncio.sleep(BALLAST_EVERY_S)

    async def close(self) -> None:
        """Stop the traffic, then the listeners."""
        self.heart.stop()
        for task in self._tasks:
            task.cancel()
        await self._outside.close()
        await self._control.close(0.0)
        for server in self._servers:
            await server.close()
        await self._inside.close()
