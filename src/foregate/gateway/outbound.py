"""The worker's own requests, such as for an issuer's keys: bounded in bytes and time."""

from foregate.http1.fetch import Client
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError

BYTES_MAX = 1_048_576
TIMEOUT_S = 5.0


class Outbound:
    """One client for all of them."""

    def __init__(self, clock: Clock) -> None:
        self._client = Client(clock)

    async def get(self, url: str) -> bytes:
        """The body under `url`. Raises ForegateError: no answer, another status than 200, too large."""
        answer = await self._client.request("GET", url, timeout_s=TIMEOUT_S)
        if answer.status != 200:
            answer.abandon()
            raise ForegateError("upstream_malformed", f"{url} answered {answer.status}")
        parts, size = [], 0
        async for part in answer.chunks():
            size += len(part)
            if size > BYTES_MAX:
                answer.abandon()
                raise ForegateError("upstream_malformed", f"{url} is larger than {BYTES_MAX} bytes")
            parts.append(part)
        return b"".join(parts)

    async def close(self) -> None:
        await self._client.close()
