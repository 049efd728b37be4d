"""Listening sockets."""

import socket
from pathlib import Path

from foregate.wire.snapshot import Listener

BACKLOG = 1024


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A non-blocking TCP listener. `shared`: several processes may listen there, the kernel spreads connections.

    Raises OSError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that nobody uses at this moment, all different."""
    held = [socket.create_server((host, 0)) for _ in range(count)]
    ports = [int(holder.getsockname()[1]) for holder in held]
    for holder in held:
        holder.close()
    return ports


def listen_at(listener: Listener, worker: int) -> socket.socket | None:
    """The socket of a gateway worker. All of them share a TCP port; a Unix socket, which cannot be shared so, is the
    first worker's: None for the others.

    Raises OSError.
    """
    if not listener.socket:
        return listen(listener.host, listener.port, shared=True)
    if worker != 0:
        return None
    path = Path(listener.socket)
    if path.is_socket():  # left by a worker that was killed: whoever holds the data directory is the only foregate
        path.unlink()
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        unix.bind(listener.socket)
        unix.listen(BACKLOG)
        unix.setblocking(False)
    except OSError:
        unix.close()
        raise
    return unix
