"""One active check: a real request on a connection of its own, over the same way as the traffic."""

import asyncio

from foregate.gateway.upstream.pool import Pool
from foregate.http1.asking import UpstreamExchange
from foregate.http1.fetch import ClientResponse
from foregate.kernel.errors import ForegateError
from foregate.wire.snapshot import ActiveCheck

_BODY_BYTES_MAX = 65_536  # so much of an answer is read for good order; a longer one is broken off


def request_head(path: str, host_line: bytes) -> bytes:
    """The check's request. The connection is closed after it: that a new one can be made is part of being healthy."""
    lines = b"accept: */*\r\nuser-agent: foregate-health\r\nconnection: close\r\n\r\n"
    return b"GET %s HTTP/1.1\r\n%s%s" % (path.encode(), host_line, lines)


async def check(pool: Pool, host_line: bytes, settings: ActiveCheck) -> str:
    """Ask once. Returns "" when the target is well, else what is wrong."""
    try:
        async with asyncio.timeout(settings.timeout_s):
            made = await pool.open()
            return made if isinstance(made, str) else await _ask(made, host_line, settings)
    except TimeoutError:
        return f"no answer within {settings.timeout_s:g} s"


async def _ask(connection: UpstreamExchange, host_line: bytes, settings: ActiveCheck) -> str:
    response = ClientResponse()
    connection.use_once()  # an upstream may ignore "connection: close"; traffic must not meet one that we break off
    head = request_head(settings.path, host_line)
    connection.send(response, head, settings.timeout_s, head_only=False, complete=True, chunked=False)
    try:
        await response.head()
        if response.status not in settings.statuses:
            return f"status {response.status}"
        size = 0
        async for chunk in response.chunks():
            size += len(chunk)
            if size > _BODY_BYTES_MAX:
                break
    except ForegateError as error:
        return error.spec.code
    else:
        return ""
    finally:
        connection.abandon(response)
