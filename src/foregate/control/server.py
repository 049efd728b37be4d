"""Runs the console's application until it is told to stop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from foregate.kernel.tasks import spawn

STOP_S = 3.0  # requests that last longer than this after the stop are cut
KEEP_ALIVE_S = 75


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the role that runs us owns the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: FastAPI, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve on the bound `listener` (a stream socket) until `stop` is set, then end streams, then requests."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(STOP_S),
    )
    server = _Server(config)

    async def stopper() -> None:
        await stop.wait()
        app.state.hub.close()
        server.should_exit = True

    watcher = spawn(stopper(), name="console stopper")
    try:
        await server.serve(sockets=[listener])
    finally:
        watcher.cancel()
