"""One OTLP request to a collector: over HTTP, answered or not."""

import asyncio

from foregate.http1 import Client
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.wire.export import Export, Signal

ANSWER_BYTES_MAX = 65_536
SEND_TIMEOUT_S = 10.0


class Refused(Exception):
    """The collector does not want this, now or later; the sentence says what it said."""


def send(export: Export, signal: Signal, body: bytes, clock: Clock) -> None:
    """Blocks until it is taken. Raises OSError when it may be tried again, else Refused."""
    asyncio.run(_send(export, signal, body, clock))


async def _send(export: Export, signal: Signal, body: bytes, clock: Clock) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in export.headers.items()]
    headers.append((b"content-type", b"application/x-protobuf"))
    url = f"{export.endpoint.rstrip('/')}/v1/{signal}"
    client = Client(clock)
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            answer = await client.request("POST", url, headers=headers, body=body)
            said = b""
            async for chunk in answer.chunks():
                said = (said + chunk)[:ANSWER_BYTES_MAX]
    except (ForegateError, TimeoutError) as error:
        raise OSError(f"{url} did not take {signal}: {str(error) or 'no answer in time'}") from error
    finally:
        await client.close()
    if answer.status in (429, 502, 503, 504):  # those that OTLP calls retryable
        raise OSError(f"{url} did not take {signal}: it answers {answer.status}")
    if answer.status >= 300:
        raise Refused(f"{url} answers {answer.status}: {said[:200]!r}")
