"""Close frames (RFC 6455 sections 5.5.1 and 7.4): what they say, and how ours are written."""

from typing import NamedTuple

from foregate.websocket.masking import masked

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
NO_STATUS = 1005  # never on the wire: the frame had no code
INVALID_TEXT = 1007
TOO_BIG = 1009
INTERNAL = 1011
BAD_GATEWAY = 1014
CONTROL_BYTES_MAX = 125  # of payload
_CLOSE, _PING = 0x88, 0x89


class Malformed(NamedTuple):
    """Why a side is not listened to any more, with the code that it is told."""

    code: int
    reason: str


def may_travel(code: int) -> bool:
    """Whether a code may stand in a frame: those of the RFC and of IANA's list, and 3000 to 4999."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def said_in(payload: bytes) -> int | Malformed:
    """The code in a Close frame's payload (unmasked)."""
    if not payload:
        return NO_STATUS
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not may_travel(code):
        return Malformed(PROTOCOL_ERROR, "a Close frame without a valid code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return Malformed(INVALID_TEXT, "a Close frame whose reason is not UTF-8")
    return code


def close_frame(code: int, reason: str, mask: bytes) -> bytes:
    """`mask`: 4 bytes towards a server, b"" towards a client. A longer reason is cut."""
    payload = code.to_bytes(2, "big") + reason.encode()[: CONTROL_BYTES_MAX - 2]
    return _control(_CLOSE, payload, mask)


def ping_frame(payload: bytes, mask: bytes) -> bytes:
    """Likewise; at most CONTROL_BYTES_MAX bytes of payload."""
    return _control(_PING, payload, mask)


def _control(first: int, payload: bytes, mask: bytes) -> bytes:
    if mask:
        return bytes((first, 0x80 | len(payload))) + mask + masked(payload, mask)
    return bytes((first, len(payload))) + payload
