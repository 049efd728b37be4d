"""Services that speak HTTP/2, and asking them through a gateway."""

import msgspec
from tests.gateway.world import World, service

from foregate.wire.snapshot import Service, UpstreamProtocol


def h2c(*ports: int, protocol: UpstreamProtocol = "h2", streams_max: int = 100, **more: object) -> Service:
    connections_max = more.pop("connections_max", 1_000)
    made = service(*ports, **more)  # type: ignore[arg-type]
    return msgspec.structs.replace(made, protocol=protocol, streams_max=streams_max, connections_max=connections_max)


async def ask(
    world: World, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    response = await world.client.request(method, world.url(path), body=body, headers=fields)
    return response.status, await response.read()
