"""How one live service asks another: over HTTP on loopback, straight to its instances."""

from collections.abc import Sequence

from foregate.http1 import Client
from foregate.kernel.errors import ForegateError
from foregate.lab.live.config import HOST
from foregate.lab.model.call import Answer, Call, DependencyFailed

JSON = ((b"content-type", b"application/json"),)


class HttpPeer:
    """A service at `ports`, asked in turn."""

    def __init__(self, client: Client, name: str, ports: Sequence[int]) -> None:
        self._client = client
        self._name = name
        self._ports = tuple(ports)
        self._turn = 0

    async def ask(self, call: Call, timeout_s: float) -> Answer:
        """Raises DependencyFailed."""
        self._turn = (self._turn + 1) % len(self._ports)
        url = f"http://{HOST}:{self._ports[self._turn]}{call.path}"
        try:
            response = await self._client.request(call.method, url, headers=JSON, body=call.body, timeout_s=timeout_s)
            body = await response.read()
        except ForegateError as error:
            raise DependencyFailed(f"{self._name}: {error.spec.code}") from error
        if response.status >= 500:
            raise DependencyFailed(f"{self._name} answered {response.status}")
        return Answer(response.status, body)
