"""Listening sockets."""

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

from foregate.wire.snapshot import Listener

BACKLOG = 1024
_LASTING_PORTS = range(10_240, 32_768)  # below Linux's, and everybody's, range of ports for outgoing connections
_FREE_PORT_TRIES = 10_000


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
    """Ports that nobody uses at this moment, all different, and none that the system gives to outgoing connections.

    They stay free until they are taken, unless somebody asks for one of them by its number. Raises OSError.
    """
    ports: list[int] = []
    for _ in range(_FREE_PORT_TRIES):
        if len(ports) == count:
            return ports
        port = secrets.choice(_LASTING_PORTS)
        try:
            socket.create_server((host, port)).close()
        except OSError:
            continue
        if port not in ports:
            ports.append(port)
    raise OSError(f"no {count} free ports on {host}")


def listen_unix(path: str) -> socket.socket:
    """A non-blocking listener on a Unix socket, in place of one that a killed process has left. Raises OSError.

    Processes cannot each bind it: whoever starts several workers makes it once and hands it down to them.
    """
    if Path(path).is_socket():  # whoever holds the data directory is the only foregate
        Path(path).unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def listen_at(listener: Listener, inherited: Iterator[int]) -> socket.socket:
    """The socket of a gateway worker: of a TCP port each has its own, a Unix socket comes from `inherited` descriptors.

    Raises OSError.
    """
    if not listener.socket:
        return listen(listener.host, listener.port, shared=True)
    descriptor = next(inherited, None)
    if descriptor is None:  # a worker that was started by itself
        return listen_unix(listener.socket)
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    return sock
