"""Asking a process on loopback whether it is ready."""

import asyncio
from collections.abc import Sequence

POLL_S = 0.1
ANSWER_TIMEOUT_S = 2.0


async def wait_ready(addresses: Sequence[str], timeout_s: float) -> list[str]:
    """Poll `GET /health/ready` of every `host:port` until all say 200. Returns those that did not in time."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    late = list(addresses)
    while late and loop.time() < deadline_s:
        late = [address for address in late if not await is_ready(address)]
        if late:
            await asyncio.sleep(POLL_S)
    return late


async def is_ready(address: str) -> bool:
    """Whether `GET /health/ready` answers 200 now."""
    host, _, port = address.rpartition(":")
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), ANSWER_TIMEOUT_S)
    except (OSError, TimeoutError):
        return False
    try:
        writer.write(f"GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), ANSWER_TIMEOUT_S)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    return b" 200 " in line
