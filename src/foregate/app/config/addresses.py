"""Addresses: where foregate listens, and where its services are."""

import re
from typing import NamedTuple

from foregate.app.config.forms import split_url

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_SOCKET_PATH_BYTES_MAX = 100  # the kernel takes 107; a temporary name must fit too
_PREFIX = re.compile(r"(/[!-\"$-.0->@-\[\]-~]+)*/?")  # visible ASCII without "#", "?" and "\\"


class Address(NamedTuple):
    """`host` and `port`, or the path of a Unix `socket`; `tls`: it is spoken there."""

    host: str
    port: int
    socket: str = ""
    tls: bool = False

    @property
    def url(self) -> str:
        """As people are told it."""
        if self.socket:
            return f"unix:{self.socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


class Dialled(NamedTuple):
    """Where a target is: `host` and `port`, or the path of a Unix `socket`; `prefix` has no trailing slash."""

    host: str
    port: int
    prefix: str
    tls: bool
    socket: str


def parse_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:8080` or `[::1]:8080` → (host, port). Raises ValueError with a sentence."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f'"{text}" is not an address like 127.0.0.1:8080')
    return host, int(port)


def parse_listener(text: str) -> Address:
    """Likewise, or `unix:/path`. Raises ValueError with a sentence."""
    if not text.startswith("unix:"):
        return Address(*parse_address(text))
    return Address("", 0, _socket(text, text.removeprefix("unix:")))


def address(text: str) -> str:
    """An address as it is written. Raises ValueError with a sentence."""
    parse_listener(text)
    return text


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    return host in _LOOPBACK


def loopback(text: str) -> str:
    """An address that only this machine reaches. Raises ValueError with a sentence."""
    host, _ = parse_address(text)
    if not is_loopback(host):
        raise ValueError(f'the console binds to loopback only until people can sign in, and "{host}" is not loopback')
    return text


def parse_target(text: str) -> Dialled:
    """`http://host:port/prefix`, `https://…`, `unix:/path.sock` or `unix:/path.sock:/prefix`. Raises ValueError."""
    if text.startswith("unix:"):
        path, _, prefix = text.removeprefix("unix:").partition(":")
        if _PREFIX.fullmatch(prefix) is None:
            raise ValueError(f'"{text}" is not a socket like unix:/run/app.sock or unix:/run/app.sock:/prefix')
        return Dialled("localhost", 80, prefix.rstrip("/"), False, _socket(text, path))
    url = split_url(text)
    if url.query or "?" in text:
        raise ValueError(f'"{text}" must be scheme, host, port and path only')
    tls = url.scheme == "https"
    return Dialled(url.hostname or "", url.port or (443 if tls else 80), url.path.rstrip("/"), tls, "")


def _socket(text: str, path: str) -> str:
    if not path.startswith("/") or "\0" in path or len(path.encode()) > _SOCKET_PATH_BYTES_MAX:
        raise ValueError(f'"{text}" must name a socket by its whole path, {_SOCKET_PATH_BYTES_MAX} bytes at most')
    return path
