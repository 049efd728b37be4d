"""Sends what the services say of themselves to an intake of telemetry, as an OpenTelemetry SDK does."""

import asyncio
from collections.abc import Callable, Iterable

from foregate.http1 import Client
from foregate.kernel.errors import ForegateError
from foregate.lab.live.otlp import export_request
from foregate.lab.metrics import EVERY_S, points
from foregate.lab.model.service import Service

TIMEOUT_S = 5.0
PATH = "/v1/metrics"
REASON_CHARS_MAX = 500  # of what the intake answers


class ExportFailed(Exception):
    """The intake did not take all of it."""


class Exporter:
    """One post for all `services` each EVERY_S; what could not be sent is not sent again, for it is old by then.

    `named` says what the gateway calls a service. `report` hears of the first post that fails, and of another one only
    after one that did not. Traffic knows nothing of it.
    """

    def __init__(
        self,
        client: Client,
        url: str,
        key: str,
        services: Iterable[Service],
        named: Callable[[str], str],
        now: Callable[[], float],
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._client = client
        self._url = url.rstrip("/") + PATH
        self._headers = ((b"x-api-key", key.encode()), (b"content-type", b"application/json"))
        self._services = [(named(service.name), service) for service in services]
        self._now = now
        self._report = report
        self._failing = False

    async def run(self, first_s: float) -> None:
        """Send until cancelled, the first time after `first_s` seconds."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + first_s
        while True:
            await asyncio.sleep(due_s - loop.time())
            await self.send()
            due_s = max(due_s + EVERY_S, loop.time())  # what a stall has missed is left out

    async def send(self) -> None:
        """Send what the services say now."""
        try:
            await self._post(self._body())
        except (ForegateError, ExportFailed) as error:
            if not self._failing:
                self._report("lab metrics", error)
            self._failing = True
        else:
            self._failing = False

    def _body(self) -> bytes:
        now_s = self._now()
        return export_request(point for name, service in self._services for point in points(service, name, now_s))

    async def _post(self, body: bytes) -> None:
        answer = await self._client.request("POST", self._url, headers=self._headers, body=body, timeout_s=TIMEOUT_S)
        said = (await answer.read())[:REASON_CHARS_MAX].decode(errors="replace")
        if answer.status != 200 or "rejectedDataPoints" in said:
            raise ExportFailed(f"{self._url} answered {answer.status}: {said}")
