"""Asking a process on this machine whether it is ready."""

import asyncio
import ssl
from collections.abc import Sequence

from foregate.app.config.addresses import Address

POLL_S = 0.1
ANSWER_TIMEOUT_S = 2.0


async def wait_ready(addresses: Sequence[Address], timeout_s: float) -> list[Address]:
    """Poll `GET /health/ready` of every address until all say 200. Returns those that did not in time."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    late = list(addresses)
    while late and loop.time() < deadline_s:
        late = [address for address in late if not await is_ready(address)]
        if late:
            await asyncio.sleep(POLL_S)
    return late


async def is_ready(address: Address) -> bool:
    """Whether `GET /health/ready` answers 200 now."""
    try:
        reader, writer = await asyncio.wait_for(_connect(address), ANSWER_TIMEOUT_S)
    except (OSError, TimeoutError):
        return False
    try:
        writer.write(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        line = await asyncio.wait_for(reader.readline(), ANSWER_TIMEOUT_S)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    return b" 200 " in line


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = _any_certificate() if address.tls else None
    if address.socket:
        return await asyncio.open_unix_connection(address.socket, ssl=context, server_hostname="" if context else None)
    return await asyncio.open_connection(address.host, address.port, ssl=context)


def _any_certificate() -> ssl.SSLContext:
    """Our own listener is asked whether it lives, not who it is."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
