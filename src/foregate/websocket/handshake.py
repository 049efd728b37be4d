"""What the two opening handshakes say (RFC 6455 section 4, RFC 7692): pure functions of their header fields."""

import base64
import hashlib
from collections.abc import Iterable

from foregate.http1.headers import HeaderList, tokens

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of the RFC
_DEFLATE = b"permessage-deflate"


def accept_of(key: bytes) -> bytes:
    """What a server must answer to this Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def elements(headers: HeaderList, name: bytes) -> list[bytes]:
    """The elements of a list field, of all its lines. Quoted strings with commas are none that we let pass."""
    return [part for key, value in headers if key == name for one in value.split(b",") if (part := one.strip(b" \t"))]


def deflate_offers(headers: HeaderList) -> list[bytes]:
    """Which of a client's extensions are offered to the upstream: those that change no frame but by RSV1."""
    return [one for one in elements(headers, b"sec-websocket-extensions") if _name(one) == _DEFLATE]


def _name(extension: bytes) -> bytes:
    return extension.partition(b";")[0].strip(b" \t").lower()


class Agreed:
    """What an upstream has agreed to in its 101. `problem` says what is wrong with that; "" for nothing."""

    __slots__ = ("deflate", "problem")

    def __init__(self, headers: HeaderList, key: bytes, offers: Iterable[bytes], subprotocols: Iterable[bytes]) -> None:
        extensions = [_name(one) for one in elements(headers, b"sec-websocket-extensions")]
        chosen = [value for name, value in headers if name == b"sec-websocket-protocol"]
        accepts = [value for name, value in headers if name == b"sec-websocket-accept"]
        upgraded = [tokens(value) for name, value in headers if name == b"upgrade"]
        self.deflate = extensions == [_DEFLATE]
        self.problem = ""
        if upgraded != [frozenset({b"websocket"})]:
            self.problem = "it upgrades to something else"
        elif accepts != [accept_of(key)]:
            self.problem = "its Sec-WebSocket-Accept does not fit the key"
        elif extensions and not (self.deflate and any(offers)):
            self.problem = "it chose an extension that was not offered"
        elif len(chosen) > 1 or (chosen and chosen[0] not in subprotocols):
            self.problem = "it chose a subprotocol that was not offered"
