"""Reading a PROXY header from a connection that has just been accepted, and not a byte more: TLS comes after it."""

from __future__ import annotations

import asyncio
import socket

from foregate.http1.proxy_protocol import parse
from foregate.kernel.limits import PROXY_HEADER_BYTES_MAX


async def introduced(sock: socket.socket) -> str:
    """The address of the client that the peer speaks for, "" where it speaks for itself. `sock` does not block.

    Raises BadIntroduction, and OSError when the peer leaves. How long it may take is for the caller to say.
    """
    taken = b""
    while True:
        await _readable(sock)
        try:
            seen = sock.recv(PROXY_HEADER_BYTES_MAX, socket.MSG_PEEK)
        except BlockingIOError:
            continue
        if not seen:
            raise ConnectionAbortedError("it left before it said whom it speaks for")
        header = parse(taken + seen)
        # What is not complete is all of the header so far: take it, or the socket would be readable for ever.
        wanted = len(seen) if header is None else header.length - len(taken)
        taken += sock.recv(wanted)
        if header is not None:
            return header.source


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(sock, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(sock)
