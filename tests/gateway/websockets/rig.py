"""An upstream and clients of an independent WebSocket library, with a real gateway between them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tests.gateway.world import World, gateway, route, service
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve

from foregate.wire.event import RequestEvent
from foregate.wire.websocket import WebSocket

Handler = Callable[[ServerConnection], Awaitable[None]]


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@contextlib.asynccontextmanager
async def websockets(handler: Handler = echo, **options: Any) -> AsyncIterator[tuple[Server, int]]:
    """A WebSocket server. It does not compress unless told to."""
    async with serve(handler, "127.0.0.1", 0, **{"compression": None, "max_size": None, **options}) as server:
        yield server, next(iter(server.sockets)).getsockname()[1]


@contextlib.asynccontextmanager
async def world(
    handler: Handler = echo, *, server: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[World]:
    """A gateway before it, whose only route is open to all and takes WebSockets by these settings."""
    async with websockets(handler, **(server or {})) as (_, port):
        open_to_all = route("/", auth=(), websocket=WebSocket(**settings))
        async with gateway([service(port)], [open_to_all]) as made:
            yield made


def client(world: World, path: str = "/", **options: Any) -> connect:
    """To be entered, or awaited."""
    options = {"compression": None, "max_size": None, "ping_interval": None, "proxy": None, **options}
    return connect(f"ws://127.0.0.1:{world.port}{path}", **options)


async def event(world: World) -> RequestEvent:
    """The one event, as soon as it is there."""
    await until(lambda: bool(world.sink.events))
    return world.event


async def until(true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.005)


__all__ = ["ClientConnection", "ServerConnection", "client", "echo", "event", "until", "websockets", "world"]
