"""The demo's clients, live: each visit is a real request to the gateway with that client's key."""

from collections.abc import Callable, Mapping

from foregate.http1 import Client
from foregate.kernel.errors import ForegateError
from foregate.kernel.tasks import spawn
from foregate.lab.traffic.visits import Visit

IN_FLIGHT_MAX = 1_000  # a visit beyond it is not sent, and counted as shed
UNREACHABLE = 0  # the status a client notes when nobody answered


class Sender:
    """Sends visits to `gateway_url`. `statuses` counts what the clients got, by status."""

    def __init__(
        self,
        client: Client,
        gateway_url: str,
        keys: Mapping[str, str],
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._client = client
        self._url = gateway_url.rstrip("/")
        self._headers = {
            name: ((b"x-api-key", key.encode()), (b"content-type", b"application/json"), (b"user-agent", agent))
            for name, key in keys.items()
            for agent in (f"foregate-lab/{name}".encode(),)
        }
        self._anonymous = ((b"content-type", b"application/json"),)
        self._report = report
        self.in_flight = 0
        self.shed = 0
        self.statuses: dict[int, int] = {}

    def send(self, visit: Visit, done: Callable[[int], None]) -> None:
        """Start one request; `done(status)` follows unless it is shed."""
        if self.in_flight >= IN_FLIGHT_MAX:
            self.shed += 1
            return
        self.in_flight += 1
        spawn(self._visit(visit, done), name="visit", on_error=self._report)

    async def _visit(self, visit: Visit, done: Callable[[int], None]) -> None:
        status = UNREACHABLE
        try:
            response = await self._client.request(
                visit.method,
                self._url + visit.path,
                headers=self._headers.get(visit.client.key_id, self._anonymous),
                body=visit.body,
                timeout_s=visit.client.patience_s,
            )
            status = response.status
            async for _ in response.chunks():
                pass
        except ForegateError as error:
            status = status or (504 if error.spec.code == "upstream_timeout" else UNREACHABLE)
        finally:
            self.in_flight -= 1
            self.statuses[status] = self.statuses.get(status, 0) + 1
        done(status)
